import { msat } from '@arbstr/shared';
import { describe, expect, it } from 'vitest';
import type { OpenRow } from '../../src/ports.ts';
import { endOf } from '../../src/settle/recover.ts';

const rates = {
  inputMsatPerMtok: 8_000_000,
  outputMsatPerMtok: 10_000_000,
  cachedInputMsatPerMtok: null,
  baseFeeMsat: msat(3),
};
const row = (more: Partial<OpenRow> = {}): OpenRow => ({
  reservationId: 'rsv_1',
  agentId: 'ag_1',
  correlationId: 'c1',
  requestedModel: 'gpt-4o',
  heldMsat: msat(100_000),
  estimatedInputTokens: 100,
  snapshot: {
    provider: 'alpha',
    model: 'gpt-4o',
    rates,
    providerRates: { ...rates, baseFeeMsat: msat(0) },
  },
  createdAtMs: 1,
  dispatched: true,
  outputTokens: 0,
  ...more,
});

describe('what a crash leaves open', () => {
  it('is released where the provider never saw it', () => {
    expect(endOf(row({ dispatched: false }))).toEqual({
      kind: 'release',
      reason: 'crashed_before_dispatch',
    });
  });

  it('is billed the estimated input where nothing was metered', () => {
    expect(endOf(row())).toMatchObject({
      settle: {
        actual_msats: 803,
        provider_cost_msats: 800,
        tokens_in: 100,
        tokens_out: 0,
        estimated: true,
      },
    });
  });

  it('is billed what was metered, and never more than was held', () => {
    expect(endOf(row({ outputTokens: 50 }))).toMatchObject({ settle: { actual_msats: 1303 } });
    expect(endOf(row({ outputTokens: 1_000_000 }))).toMatchObject({
      settle: { actual_msats: 100_000 },
    });
  });

  it('carries what a vault without this reservation needs to book it', () => {
    expect(endOf(row())).toMatchObject({
      settle: {
        reservation_id: 'rsv_1',
        agent_id: 'ag_1',
        correlation_id: 'c1',
        model: 'gpt-4o',
        provider: 'alpha',
      },
    });
  });
});
