/**
 * How the simulated wallet misbehaves when it is told to: what real ones have been seen to do. It
 * moves no real money, so a script of faults can cost nobody anything; it is refused beside any
 * other wallet (see `config/`).
 */
import { readFileSync } from 'node:fs';
import { type Msat, msatSchema } from '@arbstr/shared';
import { z } from 'zod';
import { StartError } from '../../errors.ts';
import type { PayOrder } from '../wallet.ts';

export type Fault =
  /** Refuses, proven. */
  | 'fail'
  /** Does nothing and never answers. */
  | 'hang'
  /** Pays and never answers. */
  | 'pay_then_hang'
  /** Does nothing and answers with an error that says nothing. */
  | 'error'
  /** Pays and answers with an error that says nothing. */
  | 'pay_then_error'
  /** Accepts it and is at it until the fault is gone. */
  | 'pending'
  /** Says that it failed, and pays all the same. */
  | 'fail_then_pay'
  /** Is at it, and then has no record of it any more. */
  | 'forget'
  /** Takes more than the order allows. */
  | 'overcharge';

export interface FaultPlan {
  readonly fault: Fault | null;
  /** Charged on success. */
  readonly feeMsat: Msat;
  /** Waits so long before it answers. */
  readonly delayMs: number;
}

export type FaultsOf = (order: PayOrder) => FaultPlan;

const DELAY_MS_MAX = 600_000;

const scriptSchema = z.array(
  z.strictObject({
    /** Part of the invoice, the address or the reference; empty = every order. */
    match: z.string(),
    fault: z
      .enum([
        'fail',
        'hang',
        'pay_then_hang',
        'error',
        'pay_then_error',
        'pending',
        'fail_then_pay',
        'forget',
        'overcharge',
      ])
      .optional(),
    fee_msat: msatSchema.optional(),
    delay_ms: z.int().min(0).max(DELAY_MS_MAX).optional(),
  }),
);

export const FAULTLESS: FaultPlan = { fault: null, feeMsat: 0 as Msat, delayMs: 0 };

/**
 * Faults from a file: a JSON list of `{match, fault?, fee_msat?, delay_ms?}` of which the first that
 * matches counts. Read again at each call, so that it can change while the vault runs. Throws
 * StartError where it cannot be used at the start; later a bad file makes the call's outcome
 * unknown.
 */
export function faultScript(path: string): FaultsOf {
  const read = () => scriptSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  try {
    read();
  } catch (error) {
    throw new StartError(`SIMULATED_WALLET_SCRIPT ${path}: ${(error as Error).message}`);
  }
  return (order) => {
    const found = read().find(({ match }) => textOf(order).includes(match));
    if (found === undefined) return FAULTLESS;
    return {
      fault: found.fault ?? null,
      feeMsat: found.fee_msat ?? FAULTLESS.feeMsat,
      delayMs: found.delay_ms ?? 0,
    };
  };
}

function textOf({ reference, target }: PayOrder): string {
  switch (target.type) {
    case 'lightning_invoice':
      return `${reference} ${target.invoice}`;
    case 'lightning_address':
      return `${reference} ${target.address}`;
    case 'cashu_token':
      return `${reference} cashu_token`;
  }
}
