/** What a BOLT 11 invoice says, and every reason for which one is refused. */
import type { Msat } from '@arbstr/shared';

/** The part after `ln`, by network (BOLT 11; `tbs` as LND writes signet). */
export const NETWORK_PREFIXES = {
  mainnet: 'bc',
  testnet: 'tb',
  signet: 'tbs',
  regtest: 'bcrt',
} as const;
export type Network = keyof typeof NETWORK_PREFIXES;
export const NETWORKS = Object.keys(NETWORK_PREFIXES) as readonly Network[];

/** One hop of a private route to the payee. */
export interface RouteHop {
  /** Hex, 33 bytes. */
  readonly nodeId: string;
  /** Hex, 8 bytes. */
  readonly shortChannelId: string;
  readonly feeBaseMsat: number;
  readonly feePpm: number;
  readonly cltvDelta: number;
}

export interface Invoice {
  readonly network: Network;
  /** Null where the payer chooses. */
  readonly amountMsat: Msat | null;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** Hex, 32 bytes, like the secret. */
  readonly paymentHash: string;
  readonly paymentSecret: string | null;
  /** Exactly one of the two is there. */
  readonly description: string | null;
  readonly descriptionHash: string | null;
  /** Hex, 33 bytes: the key that signed. */
  readonly payee: string;
  readonly minFinalCltvDelta: number;
  /** Numbers of the feature bits that are set, ascending. */
  readonly features: readonly number[];
  readonly routeHints: readonly (readonly RouteHop[])[];
}

/** A sentence each; they follow "the invoice". */
const INVOICE_PROBLEMS = {
  too_long: 'is longer than any real one',
  not_bech32: 'is not bech32 text',
  mixed_case: 'mixes upper and lower case',
  bad_checksum: 'has a wrong checksum: a character is missing or changed',
  unknown_prefix: 'is not one of Bitcoin Lightning',
  wrong_network: 'is for another network than this vault pays on',
  bad_amount: 'has an amount that is not one',
  amount_zero: 'asks for an amount of zero',
  amount_below_msat: 'asks for a fraction of a millisatoshi',
  amount_too_large: 'asks for more than can exist or be counted exactly',
  truncated: 'is cut off',
  duplicate_field: 'names something twice that wallets may read either way',
  missing_payment_hash: 'has no payment hash',
  missing_description: 'has neither a description nor the hash of one',
  two_descriptions: 'has both a description and the hash of one',
  bad_description: 'has a description that is not UTF-8 text',
  bad_field: 'has a field that cannot be read',
  bad_route_hint: 'has a route hint that cannot be read',
  bad_expiry: 'has an expiry that is not a time',
  cltv_too_long: 'would lock the money for longer than two weeks',
  unknown_feature: 'demands a feature that this vault does not know',
  missing_feature: 'names a feature without those that it rests on',
  bad_signature: 'is not signed by any key',
  wrong_payee: 'is signed by another key than it names',
  from_the_future: 'was made in the future: one of the two clocks is wrong',
  expired: 'has expired',
} as const;
export type InvoiceProblem = keyof typeof INVOICE_PROBLEMS;

export type DecodedInvoice =
  | { readonly ok: true; readonly invoice: Invoice }
  | { readonly ok: false; readonly reason: InvoiceProblem; readonly message: string };

/** Thrown inside the decoder only; `decodeInvoice` returns it. */
export class InvoiceError extends Error {
  readonly reason: InvoiceProblem;

  constructor(reason: InvoiceProblem) {
    super(`the invoice ${INVOICE_PROBLEMS[reason]}`);
    this.reason = reason;
  }
}
