/**
 * Reads whom to pay, strictly, before the ledger hears of it: what is agreed to here is exactly what
 * a wallet will be told. Pure.
 */
import type { Msat } from '@arbstr/shared';
import { decodeInvoice } from '../bolt11/decode.ts';
import type { Network } from '../bolt11/invoice.ts';
import { type Refusal, refuse } from '../errors.ts';
import { parsePayDestination } from '../net/lnurl.ts';
import type { Destination, DestinationType } from './payment.ts';

/** Of whoever gets ecash: free text, which is stored as it came. */
const NAME_CHARS_MAX = 200;

export interface Asked {
  readonly type: DestinationType;
  readonly text: string;
  /** Undefined: the invoice's own. */
  readonly amount: Msat | undefined;
  readonly nowMs: number;
  readonly networks: readonly Network[];
}

export interface Read {
  readonly destination: Destination;
  readonly amount: Msat;
  /**
   * Under which an allow-list may name it: the text itself, its type, an address's `@host`, the key
   * of the invoice's payee.
   */
  readonly names: readonly string[];
}

export function readDestination(asked: Asked): Read | Refusal {
  switch (asked.type) {
    case 'lightning_invoice':
      return readInvoice(asked);
    case 'lightning_address':
      return readAddress(asked);
    case 'cashu_token':
      if (asked.text.length > NAME_CHARS_MAX) return nameTooLong();
      return plain(asked, asked.text, [asked.text]);
    case 'internal':
      return plain(asked, asked.text, [asked.text]);
  }
}

function readInvoice({ text, amount, nowMs, networks }: Asked): Read | Refusal {
  const decoded = decodeInvoice(text, { nowMs, networks });
  if (!decoded.ok) {
    const { message, reason } = decoded;
    return refuse('invalid_request', message, { param: 'destination', reason });
  }
  const { amountMsat, paymentHash, expiresAtMs, payee } = decoded.invoice;
  // The invoice's amount is what a wallet pays, so it is what the limits must see (T1).
  if (amountMsat !== null && amount !== undefined && amount !== amountMsat) {
    return refuse(
      'invalid_request',
      `amount_msat is ${amount}, the invoice asks for ${amountMsat}: leave amount_msat out`,
      { param: 'amount_msat', invoice_msat: amountMsat },
    );
  }
  const paid = amountMsat ?? amount;
  if (paid === undefined) return amountMissing('the invoice names no amount');
  const invoice = text.toLowerCase();
  return {
    destination: {
      type: 'lightning_invoice',
      text: invoice,
      paymentHash,
      invoiceExpiresAt: expiresAtMs,
    },
    amount: paid,
    names: [invoice, payee, 'lightning_invoice'],
  };
}

function readAddress(asked: Asked): Read | Refusal {
  const parsed = parsePayDestination(asked.text);
  if (parsed?.kind !== 'lightning_address') {
    return refuse('invalid_request', 'this is not a Lightning address (name@host)', {
      param: 'destination',
    });
  }
  const { address } = parsed;
  return plain(asked, address, [address, address.slice(address.indexOf('@'))]);
}

function plain({ type, amount }: Asked, text: string, names: string[]): Read | Refusal {
  if (amount === undefined) return amountMissing('only an invoice can name its own amount');
  return {
    destination: { type, text, paymentHash: null, invoiceExpiresAt: null },
    amount,
    names: [...names, type],
  };
}

const nameTooLong = (): Refusal =>
  refuse(
    'invalid_request',
    `a name for who gets the ecash has at most ${NAME_CHARS_MAX} characters`,
    {
      param: 'destination',
    },
  );

const amountMissing = (why: string): Refusal =>
  refuse('invalid_request', `${why}: amount_msat is needed`, { param: 'amount_msat' });

/** What a text is that names somebody outside of the vault. */
export function outsideType(destination: string): DestinationType | Refusal {
  if (destination.includes('@')) return 'lightning_address';
  if (/^ln/i.test(destination)) return 'lightning_invoice';
  return refuse('invalid_request', 'give a Lightning invoice or a Lightning address (name@host)', {
    param: 'destination',
  });
}
