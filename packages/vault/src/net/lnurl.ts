/**
 * LNURL-pay: from a Lightning address or LNURL to an invoice over exactly the amount that is to be
 * paid (LUD-01, 06, 16, 17). The server is a stranger: what it says is checked, none of it is shown
 * at length, and an invoice over anything else is refused.
 */
import type { Msat } from '@arbstr/shared';
import { bech32 } from '@scure/base';
import { z } from 'zod';
import { decodeInvoice } from '../bolt11/decode.ts';
import type { Invoice, Network } from '../bolt11/invoice.ts';
import { type GuardedFetch, NetError } from './guard.ts';

const TEXT_CHARS_MAX = 2_000;
/** Of what the server says went wrong. */
const REASON_CHARS_MAX = 200;
/** LUD-16: a user and a host; lower case, because the user part is a path and hosts have no case. */
const ADDRESS = /^([a-z0-9._+-]{1,64})@((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63})$/;

export type PayDestination =
  | { readonly kind: 'lightning_address'; readonly address: string; readonly url: string }
  | { readonly kind: 'lnurl'; readonly url: string };

/** Null where the text is neither a Lightning address nor an LNURL. Asks nobody. */
export function parsePayDestination(text: string): PayDestination | null {
  if (text.length > TEXT_CHARS_MAX) return null;
  const lower = text.toLowerCase();
  const [, name, domain] = ADDRESS.exec(lower) ?? [];
  if (name !== undefined) {
    const url = `https://${domain}/.well-known/lnurlp/${name}`;
    return { kind: 'lightning_address', address: lower, url };
  }
  if (lower.startsWith('lnurlp://')) {
    return lnurl(`https://${text.slice('lnurlp://'.length)}`);
  }
  const bare = lower.startsWith('lightning:') ? text.slice('lightning:'.length) : text;
  if (!/^lnurl1/i.test(bare)) return null;
  const decoded = bech32.decodeUnsafe(bare as `${string}1${string}`, false);
  const bytes = decoded?.prefix.toLowerCase() === 'lnurl' && bech32.fromWordsUnsafe(decoded.words);
  return bytes ? lnurl(Buffer.from(bytes).toString('utf8')) : null;
}

function lnurl(text: string): PayDestination | null {
  const url = URL.parse(text);
  return url?.protocol === 'https:' ? { kind: 'lnurl', url: url.href } : null;
}

export type LnurlProblem =
  | 'bad_destination'
  | 'unreachable'
  | 'bad_answer'
  | 'refused'
  | 'amount_out_of_range'
  | 'wrong_amount'
  | 'bad_invoice';

export type ResolvedInvoice =
  | { readonly ok: true; readonly text: string; readonly invoice: Invoice }
  /** Nothing was paid and nothing can be: asking is free. */
  | { readonly ok: false; readonly reason: LnurlProblem; readonly message: string };

export interface ResolveDeps {
  readonly fetch: GuardedFetch;
  /** Unix ms. */
  readonly now: () => number;
  readonly networks: readonly Network[];
}

const errorAnswer = z.object({
  status: z.string().regex(/^error$/i),
  reason: z.string().optional(),
});
const payRequest = z.object({
  tag: z.literal('payRequest'),
  callback: z.string(),
  minSendable: z.int().min(1),
  maxSendable: z.int().min(1),
});
const payAnswer = z.object({ pr: z.string() });

/** Asks the server behind `destination` for an invoice over `amount`. Never throws. */
export async function resolveInvoice(
  destination: string,
  amount: Msat,
  deps: ResolveDeps,
): Promise<ResolvedInvoice> {
  try {
    return await resolve(destination, amount, deps);
  } catch (error) {
    if (error instanceof LnurlError) {
      return { ok: false, reason: error.reason, message: error.message };
    }
    if (error instanceof NetError) {
      return { ok: false, reason: 'unreachable', message: error.message };
    }
    throw error;
  }
}

class LnurlError extends Error {
  readonly reason: LnurlProblem;

  constructor(reason: LnurlProblem, message: string) {
    super(message);
    this.reason = reason;
  }
}

async function resolve(
  destination: string,
  amount: Msat,
  { fetch, now, networks }: ResolveDeps,
): Promise<ResolvedInvoice> {
  const parsed = parsePayDestination(destination);
  if (parsed === null) {
    throw new LnurlError('bad_destination', 'not a Lightning address and not an LNURL');
  }
  const { callback, minSendable, maxSendable } = await ask(fetch, parsed.url, payRequest);
  if (amount < minSendable || amount > maxSendable) {
    throw new LnurlError(
      'amount_out_of_range',
      `the receiver takes from ${minSendable} to ${maxSendable} msat`,
    );
  }
  const url = URL.parse(callback);
  if (url === null) throw new LnurlError('bad_answer', 'the receiver names no URL to ask');
  url.searchParams.set('amount', String(amount));
  const { pr: text } = await ask(fetch, url.href, payAnswer);

  const decoded = decodeInvoice(text, { nowMs: now(), networks });
  if (!decoded.ok) throw new LnurlError('bad_invoice', `of the receiver: ${decoded.message}`);
  if (decoded.invoice.amountMsat !== amount) {
    throw new LnurlError(
      'wrong_amount',
      `the receiver was asked for an invoice over ${amount} msat and gave one over ${decoded.invoice.amountMsat ?? 'any amount'}`,
    );
  }
  return { ok: true, text, invoice: decoded.invoice };
}

async function ask<T>(fetch: GuardedFetch, url: string, schema: z.ZodType<T>): Promise<T> {
  const { status, body } = await fetch(url);
  const answer = parseJson(body);
  const error = errorAnswer.safeParse(answer);
  if (error.success) {
    throw new LnurlError(
      'refused',
      `the receiver says: ${clean(error.data.reason ?? 'no reason')}`,
    );
  }
  const parsed = schema.safeParse(answer);
  if (status !== 200 || !parsed.success) {
    throw new LnurlError('bad_answer', `the receiver's answer (${status}) is not LNURL-pay`);
  }
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A stranger's words, short and on one line. */
const clean = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').slice(0, REASON_CHARS_MAX);
