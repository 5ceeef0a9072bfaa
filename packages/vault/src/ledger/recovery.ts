/**
 * A restored ledger knows nothing of what happened after its backup. Until the operator has looked
 * at that it holds and pays nothing; what has been delivered is still booked, late where its hold
 * is not known, and so is what comes in.
 */
import { refuse } from '../errors.ts';
import type { Command, FinishRecovery } from './command.ts';
import { type Decision, no } from './effect.ts';
import type { RecoveryFinished } from './outcome.ts';
import { unsentPayout } from './sellers.ts';
import type { LedgerView } from './view.ts';

/**
 * Whether a command waits until recovery is finished. Three kinds do: new promises; what makes a
 * wallet pay; and what gives money back because nothing was sent for it, which is only what the
 * backup says. What states a fact is booked (bills, receipts, what a wallet has proven), and the
 * operator can set right what the backup has wrong (agents, tokens, limits, amounts). A hold may
 * expire meanwhile: nobody can spend what it gives back, and its bill is still booked, late.
 */
export function waitsForRecovery(view: LedgerView, command: Command): boolean {
  if (!view.recovering) return false;
  switch (command.kind) {
    case 'reserve':
    case 'pay':
    case 'withdraw_revenue':
    case 'open_deposit':
    case 'open_payout':
      return true;
    case 'send_payment':
    case 'send_payout':
    case 'approve':
      return true;
    // Its payment may have been approved and sent since the backup. A seller's payout is denied to
    // be booked instead, which its operator says.
    case 'deny':
      return view.payout(command.approvalId) === undefined;
    case 'time_out_approvals':
      return true;
    // A payout that was not sent yet may have been sent since.
    case 'end_payout':
      return view.payout(command.payoutId)?.state === 'held';
    case 'set_seller':
      return unsentPayout(view, command) !== null;
    case 'settle':
    case 'release':
    case 'extend':
    case 'expire':
    case 'prolong':
    case 'heartbeat':
    case 'forget_answers':
    case 'adopt_payment':
    case 'see_payment':
    case 'stick_payment':
    case 'end_payment':
    case 'see_payout':
    case 'stick_payout':
    case 'book_payout':
    case 'credit_receipt':
    case 'settle_ecash':
    case 'fail_deposit':
    case 'expire_deposits':
      return false;
    // Itself sends nothing.
    case 'thaw_rail':
    case 'create_agent':
    case 'disable_agent':
    case 'issue_token':
    case 'revoke_token':
    case 'set_policy':
    case 'credit':
    case 'debit':
    case 'finish_recovery':
      return false;
    // They tell of the ledger and change no money.
    case 'mark_webhook':
    case 'replay_webhook':
    case 'sweep_outbox':
    case 'begin_episode':
    case 'end_episode':
      return false;
  }
}

export const recovering = () =>
  refuse(
    'recovering',
    'this vault was restored from a backup: it holds and pays nothing until the operator has looked at what happened since, and has run "recovery finish"',
  );

export function finishRecovery(
  view: LedgerView,
  { correlationId, unasked }: FinishRecovery,
): Decision<RecoveryFinished> {
  if (!view.recovering) {
    return no(refuse('not_recovering', 'this vault is not in recovery mode'));
  }
  return {
    outcome: { ledgerEpoch: view.epoch },
    effects: [
      { effect: 'set_mode', mode: 'normal' },
      {
        effect: 'audit',
        chain: 0,
        action: 'RECOVERY_FINISHED',
        facts: {
          ledger_epoch: view.epoch,
          unasked: unasked || undefined,
          correlation_id: correlationId,
        },
      },
    ],
  };
}
