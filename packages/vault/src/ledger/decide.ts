/**
 * The ledger as a state machine: what a command does, given what the ledger is and the time.
 * Pure: the same view, command and time give the same decision, and nothing is changed here.
 */

import { adoptPayment } from './adopt.ts';
import { createAgent, credit, setPolicy } from './agents.ts';
import { approve, deny, timeOutApprovals } from './approve.ts';
import type { Command } from './command.ts';
import {
  creditReceipt,
  expireDeposits,
  failDeposit,
  openDeposit,
  settleEcash,
} from './deposits.ts';
import { type Decision, no } from './effect.ts';
import { expire, heartbeat, prolong } from './expire.ts';
import { extend } from './extend.ts';
import type { OutcomeByKind } from './outcome.ts';
import { pay } from './pay.ts';
import { endPayment, seePayment, sendPayment, stickPayment } from './payment-end.ts';
import { endPayout, openPayout, seePayout, sendPayout, stickPayout } from './payouts.ts';
import { thawRail } from './rail.ts';
import { finishRecovery, recovering, waitsForRecovery } from './recovery.ts';
import { release } from './release.ts';
import { decideOnce, forgetAnswers } from './replay-key.ts';
import { reserve } from './reserve.ts';
import { bookPayout, setSeller } from './sellers.ts';
import { settle } from './settle.ts';
import { debit, disableAgent } from './take-back.ts';
import { issueToken, revokeToken } from './tokens.ts';
import type { LedgerView } from './view.ts';
import { beginEpisode, endEpisode, markWebhook, replayWebhook, sweepOutbox } from './webhooks.ts';
import { withdrawRevenue } from './withdraw-revenue.ts';

export function decide(
  view: LedgerView,
  command: Command,
  now: number,
): Decision<OutcomeByKind[Command['kind']]> {
  if ('replayKey' in command && command.replayKey !== undefined) {
    return decideOnce(view, command.replayKey, () => decideNew(view, command, now));
  }
  return decideNew(view, command, now);
}

function decideNew(
  view: LedgerView,
  command: Command,
  now: number,
): Decision<OutcomeByKind[Command['kind']]> {
  if (waitsForRecovery(view, command)) return no(recovering());
  switch (command.kind) {
    case 'finish_recovery':
      return finishRecovery(view, command);
    case 'reserve':
      return reserve(view, command, now);
    case 'settle':
      return settle(view, command, now);
    case 'release':
      return release(view, command, now);
    case 'extend':
      return extend(view, command, now);
    case 'expire':
      return expire(view, command, now);
    case 'prolong':
      return prolong(view, command);
    case 'heartbeat':
      return heartbeat(now);
    case 'forget_answers':
      return forgetAnswers(view, command, now);
    case 'pay':
      return pay(view, command, now);
    case 'withdraw_revenue':
      return withdrawRevenue(view, command, now);
    case 'send_payment':
      return sendPayment(view, command, now);
    case 'adopt_payment':
      return adoptPayment(view, command, now);
    case 'see_payment':
      return seePayment(view, command);
    case 'stick_payment':
      return stickPayment(view, command);
    case 'end_payment':
      return endPayment(view, command, now);
    case 'approve':
      return approve(view, command, now);
    case 'deny':
      return deny(view, command, now);
    case 'time_out_approvals':
      return timeOutApprovals(view, command, now);
    case 'thaw_rail':
      return thawRail(view, command);
    case 'mark_webhook':
      return markWebhook(view, command, now);
    case 'replay_webhook':
      return replayWebhook(view, command, now);
    case 'sweep_outbox':
      return sweepOutbox(command, now);
    case 'begin_episode':
      return beginEpisode(view, command, now);
    case 'end_episode':
      return endEpisode(view, command);
    case 'create_agent':
      return createAgent(view, command, now);
    case 'disable_agent':
      return disableAgent(view, command, now);
    case 'issue_token':
      return issueToken(view, command, now);
    case 'revoke_token':
      return revokeToken(view, command, now);
    case 'set_policy':
      return setPolicy(view, command, now);
    case 'credit':
      return credit(view, command);
    case 'debit':
      return debit(view, command, now);
    case 'open_deposit':
      return openDeposit(view, command, now);
    case 'credit_receipt':
      return creditReceipt(view, command, now);
    case 'settle_ecash':
      return settleEcash(view, command, now);
    case 'fail_deposit':
      return failDeposit(view, command, now);
    case 'set_seller':
      return setSeller(view, command, now);
    case 'open_payout':
      return openPayout(view, command, now);
    case 'book_payout':
      return bookPayout(view, command);
    case 'send_payout':
      return sendPayout(view, command);
    case 'see_payout':
      return seePayout(view, command);
    case 'stick_payout':
      return stickPayout(view, command);
    case 'end_payout':
      return endPayout(view, command, now);
    case 'expire_deposits':
      return expireDeposits(view, command, now);
  }
}
