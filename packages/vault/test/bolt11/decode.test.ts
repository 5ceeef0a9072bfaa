/** T35, T36: what a hostile invoice may not get past the reader. */
import type { Msat } from '@arbstr/shared';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { bech32 } from '@scure/base';
import fc from 'fast-check';
import { decode as lightDecode } from 'light-bolt11-decoder';
import { describe, expect, test } from 'vitest';
import { decodeInvoice, INVOICE_CHARS_MAX } from '../../src/bolt11/decode.ts';
import { encodeInvoice, field, integerWords, signInvoice } from '../../src/bolt11/encode.ts';
import { FIELD } from '../../src/bolt11/fields.ts';
import { type Invoice, type InvoiceProblem, NETWORKS } from '../../src/bolt11/invoice.ts';
import {
  INVALID,
  SPEC_DESCRIPTION_HASH,
  SPEC_PAYEE,
  SPEC_PAYMENT_HASH,
  SPEC_PAYMENT_SECRET,
  SPEC_SECRET_KEY,
  VALID,
} from './spec-vectors.ts';

const KEY = Buffer.from(SPEC_SECRET_KEY, 'hex');
const NOW_MS = 1_800_000_000_000;
const NOW_SECS = NOW_MS / 1_000;
const SEED = 11;

const read = (text: string, nowMs: number | null = NOW_MS) =>
  decodeInvoice(text, { nowMs, networks: NETWORKS });

function accepted(text: string, nowMs: number | null = null): Invoice {
  const result = read(text, nowMs);
  if (!result.ok) throw new Error(result.message);
  return result.invoice;
}

const reason = (text: string, nowMs: number | null = NOW_MS): InvoiceProblem | 'accepted' => {
  const result = read(text, nowMs);
  return result.ok ? 'accepted' : result.reason;
};

const HASH_WORDS = bech32.toWords(Buffer.from(SPEC_PAYMENT_HASH, 'hex'));
const SECRET_WORDS = bech32.toWords(Buffer.from(SPEC_PAYMENT_SECRET, 'hex'));
const hash = field(FIELD.paymentHash, HASH_WORDS);
const secret = field(FIELD.paymentSecret, SECRET_WORDS);
const text = field(FIELD.description, bech32.toWords(Buffer.from('a thing')));
const textHash = field(FIELD.descriptionHash, HASH_WORDS);
const features = field(FIELD.features, [16, 8, 0]);
const ownKey = field(FIELD.payee, bech32.toWords(Buffer.from(SPEC_PAYEE, 'hex')));

/** Correctly signed, whatever its fields. */
function signed(fields: readonly number[][], prefix = 'lnbc10u', atSecs = NOW_SECS): string {
  return signInvoice(prefix, [...integerWords(atSecs, 7), ...fields.flat()], KEY);
}

describe('the examples of BOLT 11', () => {
  test.each(Object.keys(VALID) as (keyof typeof VALID)[])(
    '%s is read',
    (name) => {
      expect(accepted(VALID[name])).toMatchObject({
        payee: SPEC_PAYEE,
        createdAtMs: expect.anything(),
      });
    },
    10_000,
  );

  test('one with everything inline says what the specification says of it', () => {
    expect(accepted(VALID.coffee)).toEqual({
      network: 'mainnet',
      amountMsat: 250_000_000,
      createdAtMs: 1_496_314_658_000,
      expiresAtMs: 1_496_314_718_000,
      paymentHash: SPEC_PAYMENT_HASH,
      paymentSecret: null,
      description: '1 cup coffee',
      descriptionHash: null,
      payee: SPEC_PAYEE,
      minFinalCltvDelta: 18,
      features: [],
      routeHints: [],
    });
  });

  test('an amountless one has no amount, an hour, and 18 blocks', () => {
    const invoice = accepted(VALID.donation);
    expect(invoice.amountMsat).toBeNull();
    expect(invoice.expiresAtMs - invoice.createdAtMs).toBe(3_600_000);
    expect(invoice.minFinalCltvDelta).toBe(18);
  });

  test('text in any script, a hashed description, a testnet prefix', () => {
    expect(accepted(VALID.nonsense).description).toBe('ナンセンス 1杯');
    expect(accepted(VALID.hashed)).toMatchObject({
      description: null,
      descriptionHash: SPEC_DESCRIPTION_HASH,
      amountMsat: 2_000_000_000,
    });
    expect(accepted(VALID.testnetFallback).network).toBe('testnet');
  });

  test('a private route, in order, with its fees', () => {
    const key = '9e03a901b85534ff1e92c43c74431f7ce72046060fcf7a95c37e148f78c77255';
    expect(accepted(VALID.routed).routeHints).toEqual([
      [
        {
          nodeId: `02${key}`,
          shortChannelId: '0102030405060708',
          feeBaseMsat: 1,
          feePpm: 20,
          cltvDelta: 3,
        },
        {
          nodeId: `03${key}`,
          shortChannelId: '030405060708090a',
          feeBaseMsat: 2,
          feePpm: 30,
          cltvDelta: 4,
        },
      ],
    ]);
  });

  test('an amount in pico-bitcoin, an own expiry, an own delta', () => {
    const invoice = accepted(VALID.pico);
    expect(invoice).toMatchObject({ amountMsat: 967_878_534, minFinalCltvDelta: 10 });
    expect(invoice.expiresAtMs - invoice.createdAtMs).toBe(604_800_000);
  });

  test('features and a secret; upper case and ignored fields change nothing', () => {
    const invoice = accepted(VALID.featured);
    expect(invoice).toMatchObject({ features: [9, 15, 99], paymentSecret: SPEC_PAYMENT_SECRET });
    expect(accepted(VALID.upperCase)).toEqual(invoice);
    expect(accepted(VALID.ignoredFields)).toEqual(invoice);
  });

  test.each(Object.entries(INVALID))('an invalid one is refused: %s', (expected, invoice) => {
    expect(reason(invoice, null)).toBe(expected);
  });
});

describe('T35: what is named twice', () => {
  test.each([
    ['payment hash', [hash, hash, secret, text, features]],
    ['payment secret', [hash, secret, secret, text, features]],
    ['description', [hash, secret, text, text, features]],
    ['description hash', [hash, secret, textHash, textHash, features]],
    ['expiry', [hash, text, field(FIELD.expiry, [1, 0]), field(FIELD.expiry, [2, 0])]],
    ['delta', [hash, text, field(FIELD.minFinalCltv, [18]), field(FIELD.minFinalCltv, [19])]],
    ['payee', [hash, text, ownKey, ownKey]],
    ['features', [hash, secret, text, features, features]],
  ])('T35: two of %s', (_name, fields) => {
    expect(reason(signed(fields))).toBe('duplicate_field');
  });

  test('each of them once is accepted', () => {
    const once = [hash, secret, text, field(FIELD.expiry, [1, 0]), ownKey, features];
    expect(reason(signed(once))).toBe('accepted');
  });
});

describe('T36: what is no invoice to pay', () => {
  const ok = [hash, secret, text, features];
  const otherKey = secp256k1.getPublicKey(new Uint8Array(32).fill(7), true);

  test.each<[InvoiceProblem, string]>([
    ['missing_payment_hash', signed([secret, text, features])],
    ['missing_payment_hash', signed([field(FIELD.paymentHash, HASH_WORDS.slice(1)), text])],
    ['missing_description', signed([hash, secret, features])],
    ['two_descriptions', signed([hash, secret, text, textHash, features])],
    [
      'bad_description',
      signed([hash, field(FIELD.description, bech32.toWords(Uint8Array.of(0xff)))]),
    ],
    [
      'bad_field',
      signed([field(FIELD.paymentHash, HASH_WORDS.with(-1, HASH_WORDS.at(-1)! | 1)), text]),
    ],
    ['bad_field', signed([hash, text, field(FIELD.expiry, new Array(11).fill(31))])],
    [
      'bad_route_hint',
      signed([hash, text, field(FIELD.routeHint, bech32.toWords(new Uint8Array(50)))]),
    ],
    ['bad_route_hint', signed([hash, text, field(FIELD.routeHint, [])])],
    ['bad_expiry', signed([hash, text, field(FIELD.expiry, new Array(10).fill(31))])],
    ['cltv_too_long', signed([hash, text, field(FIELD.minFinalCltv, integerWords(2_017))])],
    ['unknown_feature', signed([hash, text, field(FIELD.features, [2, 0])])],
    ['missing_feature', signed([hash, secret, text, field(FIELD.features, [16, 0, 0])])],
    ['wrong_payee', signed([hash, text, field(FIELD.payee, bech32.toWords(otherKey))])],
    ['truncated', signed([hash, text, [FIELD.expiry, 0]])],
    ['truncated', signed([hash, text, [FIELD.expiry, 0, 9, 1]])],
    ['amount_zero', signed(ok, 'lnbc0m')],
    ['bad_amount', signed(ok, 'lnbc01m')],
    ['unknown_prefix', signed(ok, 'lnbcm')],
    ['bad_amount', signed(ok, 'lnbc-1m')],
    ['bad_amount', signed(ok, 'lnbc1.5m')],
    ['amount_below_msat', signed(ok, 'lnbc15p')],
    ['amount_too_large', signed(ok, 'lnbc21000001')],
    ['amount_too_large', signed(ok, `lnbc${'9'.repeat(400)}p`)],
    ['unknown_prefix', signed(ok, 'lnxx10u')],
    ['unknown_prefix', signed(ok, 'bc10u')],
    ['from_the_future', signed(ok, 'lnbc10u', NOW_SECS + 601)],
    ['expired', signed(ok, 'lnbc10u', NOW_SECS - 3_600)],
    ['too_long', `lnbc1${'q'.repeat(INVOICE_CHARS_MAX)}`],
    ['not_bech32', ''],
    ['not_bech32', 'lightning:lnbc1'],
  ])('T36: %s', (expected, invoice) => {
    expect(reason(invoice)).toBe(expected);
  });

  test('T36: an invoice of a network that this vault does not pay on', () => {
    const invoice = signed(ok, 'lnbcrt10u');
    expect(decodeInvoice(invoice, { nowMs: NOW_MS, networks: ['mainnet'] })).toMatchObject({
      ok: false,
      reason: 'wrong_network',
    });
    expect(accepted(invoice).network).toBe('regtest');
    expect(accepted(signed(ok, 'lntbs10u')).network).toBe('signet');
  });

  test('T36: any changed character is noticed', () => {
    const invoice = signed(ok);
    for (let at = 'lnbc10u1'.length; at < invoice.length; at++) {
      const other = invoice[at] === 'q' ? 'p' : 'q';
      expect(reason(invoice.slice(0, at) + other + invoice.slice(at + 1))).toBe('bad_checksum');
    }
  });

  test('the last second of an invoice is not too late, the next one is', () => {
    const invoice = signed(ok);
    expect(reason(invoice, NOW_MS + 3_599_999)).toBe('accepted');
    expect(reason(invoice, NOW_MS + 3_600_000)).toBe('expired');
  });
});

describe('any text', () => {
  const networks = fc.constantFrom(...NETWORKS);
  const hex32 = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((bytes) => Buffer.from(bytes).toString('hex'));
  const invoices = fc.record({
    network: networks,
    amountMsat: fc.option(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    createdAtMs: fc.integer({ min: 0, max: 2 ** 35 - 1 }).map((secs) => secs * 1_000),
    expirySecs: fc.integer({ min: 0, max: 10_000_000 }),
    paymentHash: hex32,
    paymentSecret: hex32,
    description: fc.string({ unit: 'grapheme', maxLength: 80 }),
    minFinalCltvDelta: fc.integer({ min: 0, max: 2_016 }),
  });

  test('what is written is read back', () => {
    fc.assert(
      fc.property(invoices, (made) => {
        const amountMsat = made.amountMsat as Msat | null;
        const { expirySecs, ...rest } = made;
        const invoice = accepted(encodeInvoice({ ...made, amountMsat }, KEY));
        expect(invoice).toMatchObject({ ...rest, payee: SPEC_PAYEE, features: [8, 14] });
        expect(invoice.expiresAtMs - invoice.createdAtMs).toBe(expirySecs * 1_000);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  test('T37: another reader reads the same of it', () => {
    fc.assert(
      fc.property(invoices, (made) => {
        const text = encodeInvoice({ ...made, amountMsat: made.amountMsat as Msat | null }, KEY);
        const value = (name: string) => {
          const section: { name: string; value?: unknown } | undefined = lightDecode(
            text,
          ).sections.find((found) => found.name === name);
          return section?.value ?? null;
        };
        const ours = accepted(text);
        expect(value('payment_hash')).toBe(ours.paymentHash);
        expect(value('payment_secret')).toBe(ours.paymentSecret);
        expect(value('description')).toBe(ours.description);
        expect(value('amount')).toBe(ours.amountMsat === null ? null : String(ours.amountMsat));
        expect(Number(value('timestamp')) * 1_000).toBe(ours.createdAtMs);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  test('T36: 10,000 strange strings are refused without a throw', () => {
    const damaged = fc
      .tuple(fc.constantFrom(...Object.values(VALID)), fc.nat(), fc.string({ maxLength: 3 }))
      .map(([text, at, part]) => {
        const place = at % text.length;
        return text.slice(0, place) + part + text.slice(place + 1);
      });
    const wellFormed = fc
      .tuple(
        fc.constantFrom('lnbc', 'lnbc1m', 'lntb10p', 'lnbcrt1u', 'ln', 'bc'),
        fc.array(fc.nat({ max: 31 }), { maxLength: 400 }),
      )
      .map(([prefix, words]) => bech32.encode(prefix, words, false));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), damaged, wellFormed), (text) => {
        const known = Object.values<string>(VALID).includes(text);
        return known || !read(text, null).ok;
      }),
      { seed: SEED, numRuns: 10_000 },
    );
  });
});
