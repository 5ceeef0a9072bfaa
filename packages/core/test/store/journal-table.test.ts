import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { msat } from '@arbstr/shared';
import { expect, it } from 'vitest';
import type { DispatchSnapshot } from '../../src/ports.ts';
import { createJournalTable } from '../../src/store/journal-table.ts';
import { openStore } from '../../src/store/open.ts';
import { createWriter } from '../../src/store/writer.ts';

const RATES = {
  inputMsatPerMtok: 1,
  outputMsatPerMtok: 1,
  cachedInputMsatPerMtok: null,
  baseFeeMsat: msat(0),
};
const at = (provider: string): DispatchSnapshot => ({
  provider,
  model: 'm',
  rates: RATES,
  providerRates: RATES,
});

it('remembers of an open row the last dispatch: whose rates, and for what prompt', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'arbstr-'));
  const store = openStore(join(dir, 'core.db'));
  const writer = createWriter(store.db, () => {});
  const journal = createJournalTable(store.db, writer, () => 'core_1');
  await journal.intend({
    reservationId: 'rsv_1',
    agentId: 'ag_1',
    correlationId: 'c',
    requestedModel: 'm',
    heldMsat: msat(9_000),
    estimatedInputTokens: 1_600,
    snapshot: at('alpha'),
    createdAtMs: 0,
  });
  journal.dispatched('rsv_1', at('alpha'), 1_600);
  journal.dispatched('rsv_1', at('beta'), 5_667);
  writer.flush();
  expect(journal.openRows()).toMatchObject([
    { dispatched: true, snapshot: { provider: 'beta' }, estimatedInputTokens: 5_667 },
  ]);
  writer.close();
  store.close();
  rmSync(dir, { recursive: true });
});
