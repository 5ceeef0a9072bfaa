/** Payouts, as the ledger decides them; see `payout/payout.ts` for the states. */
import { type Msat, minMsat, msat, subMsat, ZERO_MSAT } from '@arbstr/shared';
import { refuse } from '../errors.ts';
import {
  type FailedPayout,
  type HeldPayout,
  holdOfPayout,
  type InFlightPayout,
  type OpenPayout,
  PAYOUT_DAY_MS,
  type Payout,
  RETRY_AFTER_MS,
  type SucceededPayout,
  type WaitingPayout,
} from '../payout/payout.ts';
import { feeLimitOf, NO_LIMITS } from '../policy/spend-policy.ts';
import type {
  Approve,
  Deny,
  EndPayout,
  OpenPayoutCommand,
  SeePayout,
  SendPayout,
  StickPayout,
} from './command.ts';
import { type Decision, type Effect, NO_EFFECTS, no, transfer } from './effect.ts';
import type { ApprovalResolved, OrderEnded, PayoutChanged, PayoutOpened } from './outcome.ts';
import { freezeOnExcess, frozen } from './rail.ts';
import type { LedgerView, SellerState } from './view.ts';

/** Holds what a seller is owed, if it is due: everything is checked where the hold is made. */
export function openPayout(
  view: LedgerView,
  command: OpenPayoutCommand,
  now: number,
): Decision<PayoutOpened> {
  const seller = view.seller(command.seller);
  const destination = seller?.destination ?? null;
  if (seller === undefined || destination === null || seller.standing === 'denied') return notDue();
  if (frozen(view, command.rail)) return notDue();
  if (view.openPayout(seller.name) !== undefined || rests(view, seller, now)) return notDue();
  const left = command.dailyCap - view.paidOutSince(now - PAYOUT_DAY_MS);
  const hold = Math.min(seller.payable.balance, left);
  if (hold < seller.threshold) return notDue();
  const maxFee = maxFeeOf(msat(hold), command.feeBound);
  if (hold <= maxFee) return notDue();
  const payout: WaitingPayout | HeldPayout = {
    id: command.payoutId,
    seller: seller.name,
    destination,
    amount: msat(hold - maxFee),
    maxFee,
    createdAt: now,
    state: seller.standing === 'approved' ? 'held' : 'waiting',
  };
  return {
    outcome: { payoutId: payout.id },
    effects: [
      { effect: 'insert_payout', payout },
      ...transfer('payout_hold', seller.payable.id, seller.held.id, hold, payout.id),
      audit('PAYOUT_OPENED', payout, {
        seller: seller.name,
        destination,
        amount: payout.amount,
        max_fee: maxFee,
        state: payout.state,
      }),
    ],
  };
}

/**
 * After a failure the next one waits, whether the wallet has refused or the seller's server gave
 * nothing to pay: else each round would make another. At a new destination a human is asked first.
 */
function rests(view: LedgerView, { name, standing }: SellerState, now: number): boolean {
  const last = view.lastPayout(name);
  if (standing !== 'approved' || last?.state !== 'failed') return false;
  return now < last.endedAt + RETRY_AFTER_MS;
}

/** The operator's word on a payout that waits; it counts for its destination from then on. */
export function judgePayout(
  view: LedgerView,
  payout: Payout,
  { kind, correlationId, reason }: Approve | Deny,
  now: number,
): Decision<ApprovalResolved> {
  if (payout.state !== 'waiting') {
    const details = { approval_id: payout.id, status: payout.state };
    return no(refuse('already_resolved', `the payout is ${payout.state} already`, details));
  }
  const seller = sellerOf(view, payout);
  const standing = kind === 'approve' ? 'approved' : 'denied';
  const held: HeldPayout = { ...payout, state: 'held' };
  const ends: Effect[] =
    kind === 'approve'
      ? [{ effect: 'change_payout', from: 'waiting', payout: held }]
      : failPayoutEffects(seller, payout, 'denied by the operator', now);
  return {
    outcome: {
      approvalId: payout.id,
      status: standing,
      transactionId: null,
      payoutId: payout.id,
      agentId: null,
      amount: payout.amount,
      paymentState: kind === 'approve' ? 'held' : 'failed',
    },
    effects: [
      { effect: 'put_seller', seller: { ...rowOf(seller), standing }, isNew: false, at: now },
      audit('PAYOUT_JUDGED', payout, {
        standing,
        correlation_id: correlationId,
        reason: reason ?? undefined,
      }),
      ...ends,
    ],
  };
}

/** Durable before the wallet is told. */
export function sendPayout(view: LedgerView, command: SendPayout): Decision<PayoutChanged> {
  const payout = view.payout(command.payoutId);
  if (payout?.state !== 'held') return unchanged();
  const refused = frozen(view, command.rail);
  if (refused) return no(refused);
  const { walletIdentity, target } = command;
  const sending = { walletIdentity, target, seen: false };
  const sent: InFlightPayout = { ...payout, state: 'in_flight', sending, stuck: null };
  return changed([
    { effect: 'change_payout', from: 'held', payout: sent },
    audit('PAYOUT_SENT', payout, {
      wallet_identity: walletIdentity,
      target: JSON.stringify(target),
    }),
  ]);
}

/** The wallet has it: from now on `absent` means that it lost its memory. */
export function seePayout(view: LedgerView, { payoutId }: SeePayout): Decision<PayoutChanged> {
  const payout = view.payout(payoutId);
  if (payout?.state !== 'in_flight' || (payout.sending.seen && payout.stuck === null)) {
    return unchanged();
  }
  const sending = { ...payout.sending, seen: true };
  const seen: InFlightPayout = { ...payout, sending, stuck: null };
  return changed([
    { effect: 'change_payout', from: 'in_flight', payout: seen },
    audit('PAYOUT_SEEN', payout, {}),
  ]);
}

/** What the wallet says cannot be believed. It stays in flight, and is asked for all the same. */
export function stickPayout(
  view: LedgerView,
  { payoutId, reason }: StickPayout,
): Decision<PayoutChanged> {
  const payout = view.payout(payoutId);
  if (payout?.state !== 'in_flight' || payout.stuck === reason) return unchanged();
  return changed([
    { effect: 'change_payout', from: 'in_flight', payout: { ...payout, stuck: reason } },
    audit('PAYOUT_STUCK', payout, { reason }),
  ]);
}

/**
 * The wallet has proven an end; or what is held cannot be sent, and has failed. A payout that has
 * an end keeps it: another one is a contradiction that only a human can clear up. Whoever could not
 * send what was held, and is late, must not end what a later try has told the wallet.
 */
export function endPayout(
  view: LedgerView,
  { payoutId, rail, from, result }: EndPayout,
  now: number,
): Decision<OrderEnded> {
  const payout = view.payout(payoutId);
  const isEnded = payout?.state === 'succeeded' || payout?.state === 'failed';
  if (from === 'in_flight' && isEnded) {
    const contradicted = payout.state !== result.state;
    return ended(payout.state, ZERO_MSAT, NO_EFFECTS, { applied: false, contradicted });
  }
  const isOpen = payout?.state === 'held' || payout?.state === 'in_flight';
  if (!isOpen || payout.state !== from) {
    return no(refuse('not_found', `no such payout is ${from}; nothing was changed`));
  }
  const seller = sellerOf(view, payout);
  if (result.state === 'failed') {
    return ended('failed', ZERO_MSAT, failPayoutEffects(seller, payout, result.reason, now));
  }
  if (payout.state !== 'in_flight') throw new Error(`payout ${payout.id} was paid and never sent`);
  // A wallet that takes more than it was allowed costs the operator, never the seller.
  const fee = minMsat(result.feeMsat, payout.maxFee);
  const excess = subMsat(result.feeMsat, fee);
  const { preimage } = result;
  const done: SucceededPayout = { ...payout, state: 'succeeded', endedAt: now, fee, preimage };
  const fees = view.feesSimulated.id;
  return ended('succeeded', excess, [
    { effect: 'change_payout', from: 'in_flight', payout: done },
    ...transfer('payout', seller.held.id, view.railSimulated.id, payout.amount, payout.id),
    ...transfer('fee', seller.held.id, fees, fee, payout.id),
    ...transfer('overcharge', view.loss.id, fees, excess, payout.id),
    ...transfer('payout_refund', seller.held.id, seller.payable.id, payout.maxFee - fee, payout.id),
    audit('PAYOUT_SUCCEEDED', payout, { fee, excess, preimage }),
    ...freezeOnExcess({ what: 'payout', id: payout.id, rail }, excess, now),
  ]);
}

/** held → waiting: a human is asked again before it is sent. */
export function holdBackEffects(payout: HeldPayout): Effect[] {
  const waiting: WaitingPayout = { ...payout, state: 'waiting' };
  return [
    { effect: 'change_payout', from: 'held', payout: waiting },
    audit('PAYOUT_WAITS', payout, {}),
  ];
}

export function failPayoutEffects(
  seller: SellerState,
  payout: OpenPayout,
  failure: string,
  now: number,
): Effect[] {
  const sending = payout.state === 'in_flight' ? payout.sending : null;
  const { state: from } = payout;
  const failed: FailedPayout = { ...payout, state: 'failed', sending, endedAt: now, failure };
  const hold = holdOfPayout(payout);
  return [
    { effect: 'change_payout', from, payout: failed },
    ...transfer('payout_refund', seller.held.id, seller.payable.id, hold, payout.id),
    audit('PAYOUT_FAILED', payout, { failure }),
  ];
}

function maxFeeOf(hold: Msat, feeBound: Msat | null): Msat {
  const limit = feeLimitOf(NO_LIMITS, hold);
  return feeBound === null ? limit : minMsat(limit, feeBound);
}

function sellerOf(view: LedgerView, payout: Payout): SellerState {
  const seller = view.seller(payout.seller);
  if (seller === undefined) throw new Error(`payout ${payout.id} of no seller`);
  return seller;
}

export const rowOf = ({ name, payable, held, destination, threshold, standing }: SellerState) => ({
  name,
  payableId: payable.id,
  heldId: held.id,
  destination,
  threshold,
  standing,
});

const audit = (
  action: `PAYOUT_${'OPENED' | 'JUDGED' | 'WAITS' | 'SENT' | 'SEEN' | 'STUCK' | 'SUCCEEDED' | 'FAILED'}`,
  { id }: { id: string },
  facts: Record<string, unknown>,
): Effect => ({ effect: 'audit', chain: 0, action, facts: { payout_id: id, ...facts } });

const changed = (effects: Effect[]): Decision<PayoutChanged> => ({
  outcome: { changed: true },
  effects,
});

const ended = (
  state: OrderEnded['state'],
  excess: Msat,
  effects: readonly Effect[],
  how = { applied: true, contradicted: false },
): Decision<OrderEnded> => ({ outcome: { state, excess, ...how }, effects });

const unchanged = (): Decision<PayoutChanged> => ({
  outcome: { changed: false },
  effects: NO_EFFECTS,
});

const notDue = (): Decision<PayoutOpened> => ({
  outcome: { payoutId: null },
  effects: NO_EFFECTS,
});
