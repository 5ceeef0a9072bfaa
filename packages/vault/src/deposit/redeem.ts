/**
 * Brings a deposit of ecash to its end. Its intent is durable, and the same reference gets the same
 * answer from the mint, so this may be done again after any crash and by two at once.
 */
import { isRefusal, type Refusal, refuse } from '../errors.ts';
import type { LedgerEngine } from '../ledger/engine.ts';
import type { DepositSettled } from '../ledger/outcome.ts';
import type { EcashToken } from '../wallet/ecash.ts';
import type { Receiver } from '../wallet/receiver.ts';

export interface RedeemDeps {
  readonly engine: LedgerEngine;
  readonly receiver: Receiver;
}

/** Rejects where the mint says nothing; the deposit then stays pending. */
export async function redeemEcash(
  { engine, receiver }: RedeemDeps,
  depositId: string,
  token: EcashToken,
): Promise<DepositSettled | Refusal> {
  const outcome = await receiver.redeem(depositId, token);
  if (outcome.state === 'redeemed') {
    return engine.execute({ kind: 'settle_ecash', depositId, received: outcome.receivedMsat });
  }
  const failed = await engine.execute({ kind: 'fail_deposit', depositId, reason: outcome.reason });
  return isRefusal(failed) ? failed : refuse('token_spent', outcome.reason);
}
