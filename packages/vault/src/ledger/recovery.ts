/**
 * A restored ledger knows nothing of what happened after its backup. Until the operator has looked
 * at that it holds and pays nothing; what has been delivered is still booked, late where its hold
 * is not known, and so is what comes in.
 */
import { refuse } from '../errors.ts';
import type { Command, FinishRecovery } from './command.ts';
import { type Decision, NO_EFFECTS } from './effect.ts';
import type { RecoveryFinished } from './outcome.ts';
import type { LedgerView } from './view.ts';

/** New promises, and everything that makes a wallet pay. */
const WAITS: ReadonlySet<Command['kind']> = new Set<Command['kind']>([
  'reserve',
  'pay',
  'withdraw_revenue',
  'send_payment',
  'approve',
  'open_deposit',
  'open_payout',
  'send_payout',
]);

export const waitsForRecovery = (view: LedgerView, command: Command): boolean =>
  view.recovering && WAITS.has(command.kind);

export const recovering = () =>
  refuse(
    'recovering',
    'this vault was restored from a backup: it holds and pays nothing until the operator has looked at what happened since, and has run "recovery finish"',
  );

export function finishRecovery(
  view: LedgerView,
  { correlationId }: FinishRecovery,
): Decision<RecoveryFinished> {
  if (!view.recovering) {
    return {
      outcome: refuse('not_recovering', 'this vault is not in recovery mode'),
      effects: NO_EFFECTS,
    };
  }
  return {
    outcome: { ledgerEpoch: view.epoch },
    effects: [
      { effect: 'set_mode', mode: 'normal' },
      {
        effect: 'audit',
        chain: 0,
        action: 'RECOVERY_FINISHED',
        facts: { ledger_epoch: view.epoch, correlation_id: correlationId },
      },
    ],
  };
}
