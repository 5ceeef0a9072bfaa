/**
 * What an approval of inference gives: for ten minutes one request of that agent and model may pass
 * that limit, up to the approved amount and a tenth.
 *
 *   (approve) ▶ free ─▶ taken        by the reserve of one reservation
 *                ▲       ├─▶ consumed    by its settle: final
 *                └───────┘               by its release or expiry: what is left of the window
 *   free ─▶ consumed                     by the late settle of the reservation that had given it back
 *
 * A free grant whose window is over lifts nothing any more. Amounts in msat, times in Unix ms.
 */
import { type Msat, msat } from '@arbstr/shared';
import type { LimitRule } from '../policy/spend-policy.ts';

/** How long after the approval a request may still take the grant. */
export const GRANT_WINDOW_MS = 10 * 60 * 1000;
/** The next try of the same request may be a little longer, because the talk went on. */
const TOLERANCE_DIVISOR = 10;

export interface Grant {
  readonly approvalId: string;
  readonly agentNo: number;
  /** As the agent asks for it. */
  readonly model: string;
  /** The only limit that it lifts. */
  readonly rule: LimitRule;
  readonly amountMax: Msat;
  readonly expiresAt: number;
  /** Who has taken or consumed it. */
  readonly reservationId: string | null;
  readonly consumedAt: number | null;
}

/** The most that a request may reserve under an approval of `amount`. */
export const grantedMax = (amount: Msat): Msat =>
  msat(Math.min(amount + Math.floor(amount / TOLERANCE_DIVISOR), Number.MAX_SAFE_INTEGER));
