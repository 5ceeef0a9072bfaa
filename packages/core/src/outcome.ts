/** What became of a request: what the HTTP layer sends, and what the log keeps. */
import type { Msat } from '@arbstr/shared';
import type { Tier } from './config/types.ts';
import type { Refusal } from './errors.ts';
import type { KeptAnswer, UpstreamHeaders } from './ports.ts';
import type { Bill } from './pricing/bill.ts';
import type { Candidate } from './route/choose.ts';
import type { FailedAttempt } from './route/first-answer.ts';

/** Known as far as the request got; null = it did not get there. */
export interface Facts {
  readonly requestedModel: string | null;
  readonly streaming: boolean;
  /** Answers that were asked for, over all prompts. */
  readonly choices: number;
  /** Name of the routing policy; null = none. */
  readonly policy: string | null;
  readonly score: number | null;
  /** The tier that was wanted at least. */
  readonly floor: Tier | null;
  /** Everybody who could have served it. */
  readonly qualified: readonly Candidate[];
  /** Who served it, or tried last. */
  readonly candidate: Candidate | null;
  readonly failed: readonly FailedAttempt[];
  readonly reservationId: string | null;
  readonly heldMsat: Msat | null;
  readonly balanceMsat: Msat | null;
  readonly bill: Bill | null;
  /** What the provider says that it cost: for the log, never credited. */
  readonly reportedCost: { readonly msat: number | null; readonly usd: number | null } | null;
  readonly firstByteMs: number | null;
}

export const NO_FACTS: Facts = {
  requestedModel: null,
  streaming: false,
  choices: 1,
  policy: null,
  score: null,
  floor: null,
  qualified: [],
  candidate: null,
  failed: [],
  reservationId: null,
  heldMsat: null,
  balanceMsat: null,
  bill: null,
  reportedCost: null,
  firstByteMs: null,
};

export type Outcome = (
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly upstream: UpstreamHeaders }
  | { readonly kind: 'answered'; readonly bytes: Buffer; readonly upstream: UpstreamHeaders }
  /** The answer of the first time, which was billed then. */
  | { readonly kind: 'replayed'; readonly answer: KeptAnswer }
  /** Everything has been sent already. */
  | { readonly kind: 'streamed' }
  /** The stream ended with an error event; what was delivered is billed. */
  | { readonly kind: 'broken'; readonly refusal: Refusal }
  /** Nobody is there to read an answer. */
  | { readonly kind: 'client_gone' }
) & { readonly facts: Facts };
