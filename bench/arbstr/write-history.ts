/**
 * Writes a vault's database with many past reservations: the ledger's own decisions and effects, in
 * batches larger than the engine's and with one fsync at the end. What it leaves is what the same
 * commands would have left over HTTP within 30 days, and `verify` has to agree.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createIdSource, msat } from '../../packages/shared/src/index.ts';
import { newAgentToken, tokenHash } from '../../packages/vault/src/agent/token.ts';
import { createSeal } from '../../packages/vault/src/audit/seal.ts';
import { migrate } from '../../packages/vault/src/db/migrate.ts';
import { openWriter } from '../../packages/vault/src/db/open.ts';
import { isRefusal } from '../../packages/vault/src/errors.ts';
import type { Command } from '../../packages/vault/src/ledger/command.ts';
import { decide } from '../../packages/vault/src/ledger/decide.ts';
import { openLedger } from '../../packages/vault/src/ledger/open-ledger.ts';
import { AGENTS, type HistoryOrder } from './history.ts';

const SPAN_MS = 30 * 24 * 3_600_000;
/** The newest past reservation: nothing of it is still counted when a run begins. */
const NEWEST_MS = 3_600_000;
const ANSWER_MS = 900;
const PAIRS_PER_BATCH = 1_000;
const DEPOSIT_MSAT = 1_000_000_000_000;

function write({ databasePath, agentsPath, reservations }: HistoryOrder): void {
  const beginMs = Date.now() - NEWEST_MS - SPAN_MS;
  let nowMs = beginMs;
  const newId = createIdSource(() => nowMs, randomBytes);
  const db = openWriter(databasePath);
  db.pragma('synchronous = OFF');
  migrate(db);
  const seal = createSeal(null);
  const { store } = openLedger(db, seal, newId('ledgerEpoch'), nowMs);

  function apply(command: Command): void {
    const { outcome, effects } = decide(store.view, command, nowMs);
    if (isRefusal(outcome)) throw new Error(`${command.kind}: ${outcome.message}`);
    store.apply(effects, nowMs);
  }

  const agents = Array.from({ length: AGENTS }, (_, nth) => {
    const id = newId('agent');
    const token = newAgentToken(randomBytes);
    store.begin();
    apply({
      kind: 'create_agent',
      replayKey: undefined,
      agentId: id,
      name: `bench-${nth}`,
      metadata: {},
      token: { id: newId('agentToken'), hash: tokenHash(token), scopes: ['spend', 'read'] },
      policy: { versionId: newId('policyVersion'), change: {} },
      correlationId: 'bench',
    });
    store.commit(nowMs);
    store.begin();
    apply({
      kind: 'credit',
      replayKey: undefined,
      agentId: id,
      amount: msat(DEPOSIT_MSAT),
      transactionId: newId('transfer'),
      correlationId: 'bench',
    });
    store.commit(nowMs);
    return { id, token, hash: tokenHash(token) };
  });

  for (let done = 0; done < reservations; done += PAIRS_PER_BATCH) {
    store.begin();
    for (let nth = done; nth < Math.min(done + PAIRS_PER_BATCH, reservations); nth++) {
      const agent = agents[nth % AGENTS]!;
      nowMs = Math.max(nowMs, beginMs + Math.floor((SPAN_MS / reservations) * nth));
      const reservationId = newId('reservation');
      const correlationId = `bench-${nth}`;
      const model = 'gpt-4o-mini';
      apply({
        kind: 'reserve',
        tokenHash: agent.hash,
        amount: msat(2_500),
        correlationId,
        model,
        requestedModel: model,
        coreId: 'core_01JBENCH0000000000000000000',
        reservationId,
        byCorrelation: false,
        approvalId: newId('approval'),
        holdMs: 60_000,
      });
      nowMs += ANSWER_MS;
      apply({
        kind: 'settle',
        reservationId,
        asked: msat(1_000 + (nth % 1_000)),
        usage: { tokens_in: 112, tokens_out: 63, provider: 'alpha', latency_ms: ANSWER_MS },
        agentId: agent.id,
        correlationId,
        model,
      });
    }
    store.commit(nowMs);
  }
  db.pragma('synchronous = FULL');
  db.pragma('wal_checkpoint(TRUNCATE)');
  store.close();
  writeFileSync(agentsPath, JSON.stringify(agents.map(({ id, token }) => ({ id, token }))));
}

process.channel!.ref();
process.on('message', (order: HistoryOrder) => {
  write(order);
  process.send!('written');
});
