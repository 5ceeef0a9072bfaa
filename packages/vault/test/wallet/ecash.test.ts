/** What a token says, and what is no token; whether it is worth anything only its mint knows. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CborError, decodeCbor } from '../../src/wallet/cbor.ts';
import { decodeToken } from '../../src/wallet/ecash.ts';
import { bytes, cborToken, head, list, map, text } from '../deposit/cbor-token.ts';

const POINT = `02${'ab'.repeat(32)}`;
const MINT = 'https://mint.example';
const proof = { amount: 8, id: '009a1f293253e41e', secret: 's1', C: POINT };
const json = (token: unknown) =>
  `cashuA${Buffer.from(JSON.stringify(token)).toString('base64url')}`;
const whole = { token: [{ mint: MINT, proofs: [proof, { ...proof, secret: 's2' }] }], unit: 'sat' };
const withProof = (change: object) =>
  json({ ...whole, token: [{ mint: MINT, proofs: [{ ...proof, ...change }] }] });

function accepted(token: string) {
  const decoded = decodeToken(token);
  if (!decoded.ok) throw new Error(decoded.message);
  return decoded.token;
}

describe('a Cashu token', () => {
  test('says its mint and its worth, in msat', () => {
    expect(accepted(json(whole))).toMatchObject({ mintUrl: MINT, amountMsat: 16_000 });
    expect(accepted(json({ ...whole, unit: 'msat' })).amountMsat).toBe(16);
    expect(accepted(json({ ...whole, unit: undefined })).amountMsat).toBe(16_000);
  });

  test('is the same ecash in version 4, and in any order of its proofs', () => {
    const token = accepted(json(whole));
    const spelled = accepted(cborToken(token, 'sat'));
    expect(spelled).toEqual({ ...token, text: spelled.text });
    const turned = { ...token, proofs: token.proofs.toReversed() };
    expect(accepted(cborToken(turned, 'sat')).key).toBe(token.key);
  });

  test.each([
    ['nothing', ''],
    ['another version', json(whole).replace('cashuA', 'cashuC')],
    ['no JSON', 'cashuAe3'],
    ['no CBOR', json(whole).replace('cashuA', 'cashuB')],
    ['two mints', json({ ...whole, token: [whole.token[0], whole.token[0]] })],
    ['no proofs', json({ ...whole, token: [{ mint: MINT, proofs: [] }] })],
    ['a proof twice', json({ ...whole, token: [{ mint: MINT, proofs: [proof, proof] }] })],
    ['another unit', json({ ...whole, unit: 'usd' })],
    ['a unit of every object', json({ ...whole, unit: 'toString' })],
    ['an amount of zero', withProof({ amount: 0 })],
    ['a negative amount', withProof({ amount: -8 })],
    ['a fraction', withProof({ amount: 1.5 })],
    ['an amount as text', withProof({ amount: '8' })],
    ['more than can be counted', withProof({ amount: Number.MAX_SAFE_INTEGER })],
    ['a signature that is no point', withProof({ C: '00' })],
  ])('with %s is refused', (_name, token) => {
    expect(decodeToken(token).ok).toBe(false);
  });

  test('any text is refused or read, and never throws', () => {
    const anyBytes = fc
      .uint8Array({ maxLength: 300 })
      .map((data) => Buffer.from(data).toString('base64url'));
    fc.assert(
      fc.property(fc.constantFrom('A', 'B'), fc.oneof(anyBytes, fc.string()), (version, body) => {
        expect(decodeToken(`cashu${version}${body}`).ok).toBe(false);
      }),
      { seed: 13, numRuns: 2_000 },
    );
  });
});

describe('CBOR', () => {
  test('reads what tokens are made of', () => {
    const data = map({ a: list([head(0, 7), text('ü')]), b: bytes(Buffer.of(1, 2)) });
    expect(decodeCbor(data)).toEqual({ a: [7, 'ü'], b: Uint8Array.of(1, 2) });
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['bytes after the end', Buffer.of(0, 0)],
    ['a text that is cut off', Buffer.of(0x62, 0x61)],
    ['a list that promises a billion', Buffer.of(0x9a, 0x3b, 0x9a, 0xca, 0)],
    ['an indefinite list', Buffer.of(0x9f, 0xff)],
    ['a negative number', Buffer.of(0x20)],
    ['a float', Buffer.of(0xf9, 0, 0)],
    ['a tag', Buffer.of(0xc0, 0)],
    ['a key that is a number', Buffer.of(0xa1, 0, 0)],
    ['a key twice', Buffer.of(0xa2, 0x61, 0x61, 0, 0x61, 0x61, 1)],
    ['a number beyond exactness', Buffer.concat([Buffer.of(0x1b), Buffer.alloc(8, 0xff)])],
    ['depth without end', Buffer.alloc(1_000, 0x81)],
    ['text that is not UTF-8', Buffer.of(0x61, 0xff)],
  ])('refuses %s', (_name, data) => {
    expect(() => decodeCbor(data)).toThrow(CborError);
  });
});
