import type { Fact } from './chain.ts';
import { text } from './facts.ts';
import type { ReplayDeps } from './replay-deps.ts';
import { compareRow } from './report.ts';

/** An idempotency key: its row must stand as long as it is kept, and say the same. */
export function checkRemembered(deps: ReplayDeps, fact: Fact, what: string): void {
  const remembered = fact.facts.remembered as Readonly<Record<string, unknown>> | undefined;
  if (remembered === undefined) return;
  const key = text(remembered, 'key');
  const stored = deps.lookups.answer(key);
  if (stored === undefined && fact.at < deps.answersSinceMs) return;
  // The key may have been used again after its time.
  if (stored !== undefined && Number(stored.created_at) > fact.at) return;
  deps.totals.idempotency_keys++;
  const answer = {
    fingerprint: text(remembered, 'fingerprint'),
    answer: text(remembered, 'answer'),
    principal: text(remembered, 'principal'),
    created_at: fact.at,
  };
  compareRow(deps.report, `${what}: idempotency key ${key}`, answer, stored);
}
