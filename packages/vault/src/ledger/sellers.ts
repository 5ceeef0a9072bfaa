/** Sellers: who is paid for what agents were charged, and where. */
import { type Msat, minMsat, subMsat } from '@arbstr/shared';
import { refuse } from '../errors.ts';
import {
  type InFlightPayout,
  type OpenPayout,
  SELLERS_MAX,
  type Standing,
} from '../payout/payout.ts';
import type { Usage } from '../reservation/reservation.ts';
import { canCredit } from './account.ts';
import type { SetSeller } from './command.ts';
import { type Decision, type Effect, no, transfer } from './effect.ts';
import type { SellerSet } from './outcome.ts';
import { failPayoutEffects } from './payouts.ts';
import type { LedgerView } from './view.ts';

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
      { effect: 'put_seller', seller, isNew: known === undefined, at: now },
      {
        effect: 'audit',
        chain: 0,
        action: 'SELLER_SET',
        facts: {
          seller: seller.name,
          correlation_id: command.correlationId,
          payable_account: payableId,
          held_account: heldId,
          payout_destination: destination,
          payout_threshold: threshold,
          standing,
        },
      },
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
