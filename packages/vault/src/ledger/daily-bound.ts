/**
 * How much an agent may write in a day of what costs it nothing: payments that are asked for and
 * time out or fail, invoices that nobody pays, ecash that is worth nothing. Rows are kept for ever,
 * so without a bound one agent could fill the operator's disk within its rate limit.
 */
import { type Refusal, refuse } from '../errors.ts';
import type { LedgerView } from './view.ts';

export const BOUND_MS = 24 * 60 * 60 * 1_000;
/**
 * Of one agent in that time, whatever became of them: between two agents money goes to and fro for
 * nothing. As many as an agent may use idempotency keys; each takes up to 2 kB.
 */
export const PAYMENTS_MAX = 10_000;
/** Of them not paid (yet). With its approval and audit rows each takes up to 45 kB. */
export const UNPAID_PAYMENTS_MAX = 1_000;
/** Each with its audit rows takes up to 5 kB. */
export const UNPAID_DEPOSITS_MAX = 1_000;
/** Questions about inference that no human has granted; each takes up to 2 kB. */
export const UNMET_APPROVALS_MAX = 1_000;

/** @param mayFail false where it comes to its end at once, and only counts among all of them */
export function tooManyPayments(
  view: LedgerView,
  agentNo: number,
  mayFail: boolean,
  now: number,
): Refusal | null {
  const since = now - BOUND_MS;
  const made = view.madePayment(agentNo, since, PAYMENTS_MAX);
  const all = full(made, now, `${PAYMENTS_MAX} payments were made in the last 24 h`);
  if (all !== null || !mayFail) return all;
  const unpaid = view.unpaidPayment(agentNo, since, UNPAID_PAYMENTS_MAX);
  return full(unpaid, now, `${UNPAID_PAYMENTS_MAX} payments of the last 24 h were not paid`);
}

export function tooManyUnpaidDeposits(
  view: LedgerView,
  agentNo: number,
  now: number,
): Refusal | null {
  const unpaid = view.unpaidDeposit(agentNo, now - BOUND_MS, UNPAID_DEPOSITS_MAX);
  return full(unpaid, now, `${UNPAID_DEPOSITS_MAX} deposits of the last 24 h were not paid`);
}

function full(made: number | undefined, now: number, what: string): Refusal | null {
  if (made === undefined) return null;
  return refuse('rate_limited', `${what}; nothing was changed`, {
    retry_after_secs: Math.max(1, Math.ceil((made + BOUND_MS - now) / 1_000)),
  });
}
