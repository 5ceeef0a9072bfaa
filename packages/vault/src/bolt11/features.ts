/** Feature bits of invoices (BOLT 9, context I). An even bit is a demand, the odd one an offer. */
import { InvoiceError } from './invoice.ts';

const VAR_ONION = 8;
const PAYMENT_SECRET = 14;
const BASIC_MPP = 16;
const PAYMENT_METADATA = 48;

/** What our wallets can be asked to do. */
const KNOWN = new Set([VAR_ONION, PAYMENT_SECRET, BASIC_MPP, PAYMENT_METADATA]);
const RESTS_ON: readonly (readonly [feature: number, on: number])[] = [
  [PAYMENT_SECRET, VAR_ONION],
  [BASIC_MPP, PAYMENT_SECRET],
];

/** Throws InvoiceError where a payer must not try. */
export function checkFeatures(bits: readonly number[]): void {
  const demanded = bits.filter((bit) => bit % 2 === 0);
  if (demanded.some((bit) => !KNOWN.has(bit))) throw new InvoiceError('unknown_feature');
  const has = (feature: number) => bits.includes(feature) || bits.includes(feature + 1);
  if (RESTS_ON.some(([feature, on]) => has(feature) && !has(on))) {
    throw new InvoiceError('missing_feature');
  }
}
