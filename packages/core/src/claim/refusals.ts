/** What the caller of a claimed request is told. In each case nothing was charged for this one. */
import { formatSats, msat } from '@arbstr/shared';
import { type Refusal, refuse } from '../errors.ts';

export const badKey = (): Refusal =>
  refuse(
    'invalid_request',
    'Idempotency-Key must be 1 to 255 visible ASCII characters, without spaces.',
    { param: 'Idempotency-Key' },
  );

export const otherBody = (): Refusal =>
  refuse(
    'idempotency_conflict',
    'This Idempotency-Key was used with another body. Nothing was sent or charged. Use a new key for a new request.',
  );

/** A retry can help and costs nothing: the answer comes, or its end is known. */
export const stillRunning = (): Refusal =>
  refuse(
    'idempotency_conflict',
    'The request with this Idempotency-Key is still running. Nothing was charged for this one. Ask again with the same key.',
    { shouldRetry: true, retryAfterSecs: 1 },
  );

/** Billed, and its answer cannot be given again. */
export function notKept(costMsat: number): Refusal {
  const cost = msat(costMsat);
  return refuse(
    'idempotency_conflict',
    `The request with this Idempotency-Key was billed ${formatSats(cost)} sats before, and its answer is not kept here: it was streamed, cut off, too large, or came from another core. Nothing was charged again. Use a new key to ask anew, at a new cost.`,
    { details: { cost_msats: cost } },
  );
}

/** Its hold expired with the core that ran it, which may still come back and bill what it delivered. */
export const unresolved = (): Refusal =>
  refuse(
    'idempotency_conflict',
    'The core that ran the request with this Idempotency-Key is gone, and whether it delivered anything is not known yet. Nothing was charged for this one. Use a new key if you can bear to pay for both.',
  );

export const tooManyTries = (tries: number): Refusal =>
  refuse(
    'idempotency_conflict',
    `${tries} tries with this Idempotency-Key have failed, none of them billed. Use a new key.`,
  );
