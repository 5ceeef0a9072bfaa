import { msat } from '@arbstr/shared';
import { describe, expect, it } from 'vitest';
import type { Call } from '../src/call.ts';
import { NO_FACTS } from '../src/outcome.ts';
import type { Bill } from '../src/pricing/bill.ts';
import { requestRow } from '../src/record.ts';
import type { Candidate } from '../src/route/choose.ts';

/** msat per output token. */
const candidate = (name: string, rate: number): Candidate =>
  ({
    provider: { name },
    tier: 'standard',
    offer: {
      model: 'm',
      rates: {
        inputMsatPerMtok: 0,
        outputMsatPerMtok: rate * 1e6,
        cachedInputMsatPerMtok: null,
        baseFeeMsat: msat(0),
      },
    },
  }) as unknown as Candidate;

const call = { correlationId: 'c', receivedAtMs: 0, caller: { kind: 'open' } } as unknown as Call;
const bill = {
  usage: { inputTokens: 5, cachedInputTokens: 0, outputTokens: 10 },
  costMsat: msat(20),
  providerCostMsat: msat(20),
} as Bill;

const rowOf = (served: Candidate, qualified: readonly Candidate[]) => {
  const facts = { ...NO_FACTS, bill, candidate: served, qualified };
  return requestRow({ kind: 'streamed', facts }, call, 5);
};

describe('what a request would have cost elsewhere', () => {
  const [cheap, dear] = [candidate('cheap', 2), candidate('dear', 4)];

  it('is at the dearest and on average of all that qualified', () => {
    expect(rowOf(cheap, [cheap, dear])).toMatchObject({ dearestMsat: 40, meanMsat: 30 });
  });

  it('is not said where somebody below the floor served: that is no saving', () => {
    expect(rowOf(cheap, [dear])).toMatchObject({ dearestMsat: null, meanMsat: null });
  });
});
