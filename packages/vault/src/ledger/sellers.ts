/** Sellers: who is paid for what agents were charged, and where. */
import { type Msat, minMsat, msat, subMsat } from '@arbstr/shared';
import { type Refusal, refuse } from '../errors.ts';
import {
  type InFlightPayout,
  type OpenPayout,
  SELLERS_MAX,
  type Standing,
} from '../payout/payout.ts';
import type { Usage } from '../reservation/reservation.ts';
import { canCredit } from './account.ts';
import type { BookPayout, SetSeller } from './command.ts';
import { type Decision, type Effect, no, type PutSeller, transfer } from './effect.ts';
import type { PayoutBooked, SellerSet } from './outcome.ts';
import { failPayoutEffects, holdBackEffects, rowOf } from './payouts.ts';
import type { LedgerView, SellerState } from './view.ts';

/** Makes a seller with its two accounts, or changes where and from when on it is paid. */
export function setSeller(view: LedgerView, command: SetSeller, now: number): Decision<SellerSet> {
  const known = view.seller(command.name);
  if (known === undefined && view.sellerCount() >= SELLERS_MAX) {
    return no(refuse('invalid_request', `there are ${SELLERS_MAX} sellers already`));
  }
  const { destination, threshold } = command;
  if (threshold > command.dailyCap) {
    return no(
      refuse('invalid_request', 'more than PAYOUT_DAILY_CAP_MSAT: it would never be paid', {
        param: 'payout_threshold_msat',
      }),
    );
  }
  const moved = known?.destination !== destination;
  const standing: Standing = moved || known?.standing !== 'approved' ? 'new' : 'approved';
  const payableId = known?.payable.id ?? view.nextAccountId();
  const heldId = known?.held.id ?? payableId + 1;
  const seller = { name: command.name, payableId, heldId, destination, threshold, standing };
  const stale = unsentPayout(view, command);
  return {
    outcome: { name: seller.name, destination, threshold, standing },
    effects: [
      ...putSeller(seller, known === undefined, command.correlationId, now),
      ...(stale && known
        ? failPayoutEffects(known, stale, 'the destination was changed', now)
        : []),
    ],
  };
}

/** A payout that would go to where the seller is no longer, once this command is done; or null. */
export function unsentPayout(
  view: LedgerView,
  { name, destination }: Pick<SetSeller, 'name' | 'destination'>,
): Exclude<OpenPayout, InFlightPayout> | null {
  if (view.seller(name)?.destination === destination) return null;
  const open = view.openPayout(name);
  return open === undefined || open.state === 'in_flight' ? null : open;
}

/**
 * What was paid out after the backup is unknown to a restored ledger, and a server gives another
 * invoice each time it is asked, so no wallet would know it again. So no seller is paid anything
 * before the operator has looked: what was approved is new, and what was about to be sent waits.
 */
export function restoredSellers(view: LedgerView, epoch: string, now: number): Effect[] {
  return view.sellers().flatMap((known): Effect[] => {
    if (known.standing !== 'approved') return [];
    const open = view.openPayout(known.name);
    const waits = open?.state === 'held' ? holdBackEffects(open) : [];
    return [...putSeller({ ...rowOf(known), standing: 'new' }, false, epoch, now), ...waits];
  });
}

/** payable → rail: the seller has this money, whatever a wallet or the operator paid it by. */
export function bookPayout(view: LedgerView, command: BookPayout): Decision<PayoutBooked> {
  const seller = view.seller(command.seller);
  if (seller === undefined) return no(refuse('not_found', 'no such seller'));
  const { amount, transactionId } = command;
  const { payable, held } = seller;
  if (payable.balance < amount) return no(notOwed(seller, amount));
  if (!canCredit(view.railSimulated, amount)) {
    return no(refuse('invalid_request', 'the rail never held so much', { param: 'amount_msat' }));
  }
  const left = msat(payable.balance - amount + held.balance);
  return {
    outcome: { seller: seller.name, amount, payable: left, transactionId },
    effects: [
      ...transfer('payout', payable.id, view.railSimulated.id, amount, transactionId),
      {
        effect: 'audit',
        chain: 0,
        action: 'PAYOUT_BOOKED',
        facts: {
          transaction_id: transactionId,
          correlation_id: command.correlationId,
          seller: seller.name,
          amount,
          reason: command.reason,
        },
      },
    ],
  };
}

const notOwed = ({ name, payable, held }: SellerState, amount: Msat): Refusal =>
  refuse(
    'insufficient_balance',
    `${name} is owed ${payable.balance} msat beside the ${held.balance} that a payout holds; deny that payout to free them`,
    { current_balance_msats: payable.balance, requested_msats: amount },
  );

/** The row, and its audit row, which is complete. */
function putSeller(
  seller: PutSeller['seller'],
  isNew: boolean,
  correlationId: string,
  at: number,
): Effect[] {
  return [
    { effect: 'put_seller', seller, isNew, at },
    {
      effect: 'audit',
      chain: 0,
      action: 'SELLER_SET',
      facts: {
        seller: seller.name,
        correlation_id: correlationId,
        payable_account: seller.payableId,
        held_account: seller.heldId,
        payout_destination: seller.destination,
        payout_threshold: seller.threshold,
        standing: seller.standing,
      },
    },
  ];
}

export interface Earning {
  readonly accountId: number;
  readonly amount: Msat;
}

/**
 * What of a charge belongs to the seller that served it: its own cost at the configured rates, and
 * never more than was charged, so that no seller can raise its credit. Null where none is paid out.
 */
export function earningOf(view: LedgerView, usage: Usage, charged: Msat): Earning | null {
  if (usage.provider === undefined) return null;
  const seller = view.seller(usage.provider);
  if (seller === undefined || seller.destination === null) return null;
  const amount = minMsat(usage.provider_cost_msats ?? charged, charged);
  if (amount === 0 || !canCredit(seller.payable, amount)) return null;
  return { accountId: seller.payable.id, amount };
}

/** The charge, to the seller and to the operator. */
export function chargeEffects(
  kind: 'charge' | 'late_charge',
  from: number,
  revenue: number,
  charged: Msat,
  earning: Earning | null,
  ref: string,
): Effect[] {
  if (earning === null) return transfer(kind, from, revenue, charged, ref);
  return [
    ...transfer(kind, from, revenue, subMsat(charged, earning.amount), ref),
    ...transfer('earning', from, earning.accountId, earning.amount, ref),
  ];
}

export const earningFacts = (earning: Earning | null) =>
  earning === null ? {} : { earned: earning.amount, payable_account: earning.accountId };
