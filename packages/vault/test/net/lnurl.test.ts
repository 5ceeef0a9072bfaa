/** T39: the invoice that comes back is for what was asked, or nothing is paid. */
import { type Msat, msat } from '@arbstr/shared';
import { bech32 } from '@scure/base';
import { describe, expect, test } from 'vitest';
import { encodeInvoice } from '../../src/bolt11/encode.ts';
import type { Network } from '../../src/bolt11/invoice.ts';
import { type GuardedAnswer, NetError } from '../../src/net/guard.ts';
import { parsePayDestination, resolveInvoice } from '../../src/net/lnurl.ts';

const NOW_MS = 1_800_000_000_000;
const KEY = new Uint8Array(32).fill(9);
const ASKED = msat(25_000);
const ADDRESS = 'alice@pay.example';

const invoiceOver = (amountMsat: Msat | null, network: Network = 'mainnet', createdAtMs = NOW_MS) =>
  encodeInvoice(
    {
      network,
      amountMsat,
      createdAtMs,
      expirySecs: 600,
      paymentHash: 'ab'.repeat(32),
      paymentSecret: 'cd'.repeat(32),
      description: 'a payout',
      minFinalCltvDelta: 18,
    },
    KEY,
  );

const PAY_REQUEST = {
  tag: 'payRequest',
  callback: 'https://pay.example/callback?k1=v1',
  minSendable: 1_000,
  maxSendable: 1_000_000,
  metadata: '[["text/plain","alice"]]',
  commentAllowed: 100,
};

/** An LNURL server: answers the first call with `first`, the callback with `second`. */
function asking(
  first: unknown,
  second: unknown = { pr: invoiceOver(ASKED), routes: [] },
  destination: string = ADDRESS,
  amount: Msat = ASKED,
) {
  const urls: string[] = [];
  const fetch = async (url: string): Promise<GuardedAnswer> => {
    urls.push(url);
    const answer = urls.length === 1 ? first : second;
    if (answer instanceof Error) throw answer;
    return { status: 200, body: typeof answer === 'string' ? answer : JSON.stringify(answer) };
  };
  const deps = { fetch, now: () => NOW_MS, networks: ['mainnet'] as const };
  return { urls, result: resolveInvoice(destination, amount, deps) };
}

describe('destinations', () => {
  const url = 'https://pay.example/u/1?x=2';
  const encoded = bech32.encode('lnurl', bech32.toWords(Buffer.from(url)), false);

  test('a Lightning address, in any case, is a well-known URL', () => {
    expect(parsePayDestination('Alice+tips@Pay.Example')).toEqual({
      kind: 'lightning_address',
      address: 'alice+tips@pay.example',
      url: 'https://pay.example/.well-known/lnurlp/alice+tips',
    });
  });

  test('a bech32 LNURL, upper case, with its scheme, and lnurlp', () => {
    for (const text of [encoded, encoded.toUpperCase(), `lightning:${encoded}`]) {
      expect(parsePayDestination(text)).toEqual({ kind: 'lnurl', url });
    }
    expect(parsePayDestination('lnurlp://pay.example/u/1?x=2')).toEqual({ kind: 'lnurl', url });
  });

  test.each([
    '',
    'alice',
    'alice@',
    '@pay.example',
    'alice@localhost',
    'alice@127.0.0.1',
    'alice@pay.example/evil',
    'alice@pay.example:8080',
    'alice@@pay.example',
    'a b@pay.example',
    'https://pay.example/',
    `${encoded}q`,
    bech32.encode('lnurl', bech32.toWords(Buffer.from('http://pay.example/')), false),
    bech32.encode('lnurl', bech32.toWords(Buffer.from('file:///etc/passwd')), false),
    `${'a'.repeat(2_000)}@pay.example`,
  ])('%s is none', (text) => {
    expect(parsePayDestination(text)).toBeNull();
  });
});

describe('asking for an invoice', () => {
  test('the callback is asked for exactly the amount, keeping its own parameters', async () => {
    const { urls, result } = asking(PAY_REQUEST);
    expect(await result).toMatchObject({ ok: true, invoice: { amountMsat: ASKED } });
    expect(urls).toEqual([
      'https://pay.example/.well-known/lnurlp/alice',
      'https://pay.example/callback?k1=v1&amount=25000',
    ]);
  });

  test('an amount that the receiver does not take is not asked for', async () => {
    for (const amount of [msat(999), msat(1_000_001)]) {
      const { urls, result } = asking(PAY_REQUEST, undefined, ADDRESS, amount);
      expect(await result).toMatchObject({ ok: false, reason: 'amount_out_of_range' });
      expect(urls).toHaveLength(1);
    }
  });

  test.each([
    ['more', msat(ASKED + 1)],
    ['less', msat(ASKED - 1)],
    ['any amount', null],
  ])('T39: an invoice over %s than asked is refused', async (_name, amount) => {
    const { result } = asking(PAY_REQUEST, { pr: invoiceOver(amount) });
    expect(await result).toMatchObject({ ok: false, reason: 'wrong_amount' });
  });

  test.each([
    ['of another network', invoiceOver(ASKED, 'regtest')],
    ['that has expired', invoiceOver(ASKED, 'mainnet', NOW_MS - 600_000)],
    ['that is none', 'lnbc1qqq'],
  ])('an invoice %s is refused', async (_name, pr) => {
    const { result } = asking(PAY_REQUEST, { pr });
    expect(await result).toMatchObject({ ok: false, reason: 'bad_invoice' });
  });

  test.each([
    ['no JSON', '<html>'],
    ['null', null],
    ['another tag', { ...PAY_REQUEST, tag: 'withdrawRequest' }],
    ['fractions', { ...PAY_REQUEST, minSendable: 1.5 }],
    ['text for numbers', { ...PAY_REQUEST, maxSendable: '1000000' }],
    ['numbers beyond exactness', { ...PAY_REQUEST, maxSendable: 1e21 }],
    ['no callback', { ...PAY_REQUEST, callback: undefined }],
    ['a callback that is no URL', { ...PAY_REQUEST, callback: 'not a url' }],
  ])('an answer with %s is refused', async (_name, answer) => {
    expect(await asking(answer).result).toMatchObject({ ok: false, reason: 'bad_answer' });
  });

  test("the receiver's own refusal is passed on, short and on one line", async () => {
    const reason = `no\nsuch\u202euser ${'x'.repeat(1_000)}`;
    const result = await asking({ status: 'ERROR', reason }).result;
    expect(result).toMatchObject({ ok: false, reason: 'refused' });
    if (!result.ok) {
      expect(result.message).toMatch(/^the receiver says: no such user x+$/);
      expect(result.message.length).toBeLessThan(230);
    }
  });

  test('a server that cannot be reached is a failure that moved nothing', async () => {
    const { result } = asking(PAY_REQUEST, new NetError('timeout', 'too slow'));
    expect(await result).toEqual({ ok: false, reason: 'unreachable', message: 'too slow' });
  });

  test('what is no destination is not asked', async () => {
    const { urls, result } = asking(PAY_REQUEST, undefined, 'nobody');
    expect(await result).toMatchObject({ ok: false, reason: 'bad_destination' });
    expect(urls).toEqual([]);
  });
});
