/** What a wallet is told to pay for a destination. */
import type { Msat } from '@arbstr/shared';
import type { PaymentTarget } from '../wallet/wallet.ts';

export type TargetAnswer =
  | { readonly ok: true; readonly target: PaymentTarget }
  /** Nothing can be paid there now; asking has moved nothing. */
  | { readonly ok: false; readonly reason: string };

/** May ask the destination's own server; is asked once per payout, and the answer is kept. */
export type TargetOf = (
  destination: string,
  amount: Msat,
  signal: AbortSignal,
) => Promise<TargetAnswer>;

/** For a wallet that finds the way to a destination by itself. */
export const directTarget: TargetOf = async (address) => ({
  ok: true,
  target: { type: 'lightning_address', address },
});
