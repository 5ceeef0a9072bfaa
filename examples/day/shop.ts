/** Somebody outside who sells something, for the simulated wallet: it hands out real BOLT 11 invoices. */
import { hash, randomBytes } from 'node:crypto';
import { msat } from '../../packages/shared/src/index.ts';
import { encodeInvoice } from '../../packages/vault/src/bolt11/encode.ts';

export function invoiceOf(amountMsat: number, description: string): string {
  return encodeInvoice(
    {
      network: 'regtest',
      amountMsat: msat(amountMsat),
      createdAtMs: Date.now(),
      expirySecs: 3_600,
      paymentHash: hash('sha256', randomBytes(32)),
      paymentSecret: randomBytes(32).toString('hex'),
      description,
      minFinalCltvDelta: 18,
    },
    randomBytes(32),
  );
}
