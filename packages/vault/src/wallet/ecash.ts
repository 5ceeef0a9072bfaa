/**
 * Reads a Cashu token (NUT-00): `cashuA` and base64url JSON, or `cashuB` and base64url CBOR.
 * Strict: one mint, one unit, no proof twice. Whether the proofs are good only their mint knows.
 */
import { hash } from 'node:crypto';
import { MSAT_MAX, type Msat, msat } from '@arbstr/shared';
import { z } from 'zod';
import { CborError, decodeCbor } from './cbor.ts';

export const TOKEN_CHARS_MAX = 100_000;
const PROOFS_MAX = 1_000;
const MSAT_PER_UNIT = { msat: 1, sat: 1_000 } as const;

export interface EcashProof {
  readonly amount: number;
  readonly keysetId: string;
  readonly secret: string;
  /** Hex, 33 bytes. */
  readonly signature: string;
}

export interface EcashToken {
  readonly text: string;
  readonly mintUrl: string;
  readonly amountMsat: Msat;
  readonly proofs: readonly EcashProof[];
  /** The same for every spelling of the same proofs. */
  readonly key: string;
}

export type DecodedToken =
  | { readonly ok: true; readonly token: EcashToken }
  | { readonly ok: false; readonly message: string };

const point = z.string().regex(/^0[23][0-9a-f]{64}$/);
const proof = z.object({
  amount: z.int().min(1),
  id: z.string().min(1).max(80),
  secret: z.string().min(1).max(1_024),
  C: point,
});
const jsonToken = z.object({
  token: z.array(z.object({ mint: z.string(), proofs: z.array(proof) })).length(1),
  unit: z.string().optional(),
});
const bytes = z.instanceof(Uint8Array);
const cborToken = z.object({
  m: z.string(),
  u: z.string(),
  t: z.array(
    z.object({
      i: bytes,
      p: z.array(z.object({ a: z.int().min(1), s: z.string().min(1).max(1_024), c: bytes })),
    }),
  ),
});

interface Parts {
  readonly mint: string;
  readonly unit: string;
  readonly proofs: readonly EcashProof[];
}

/** Never throws. */
export function decodeToken(text: string): DecodedToken {
  const parts = text.length <= TOKEN_CHARS_MAX ? partsOf(text) : null;
  if (parts === null) return { ok: false, message: 'this is not a Cashu token' };
  const { mint, unit, proofs } = parts;
  if (proofs.length === 0) return { ok: false, message: 'the token is empty' };
  if (proofs.length > PROOFS_MAX) {
    return { ok: false, message: `the token has more than ${PROOFS_MAX} proofs` };
  }
  const secrets = proofs.map(({ secret }) => secret).toSorted();
  if (new Set(secrets).size !== secrets.length) {
    return { ok: false, message: 'the token has a proof twice' };
  }
  if (!isUnit(unit)) return { ok: false, message: 'only tokens in sat or msat are taken' };
  const sum = proofs.reduce((total, { amount }) => total + BigInt(amount), 0n);
  const amount = sum * BigInt(MSAT_PER_UNIT[unit]);
  if (amount > BigInt(MSAT_MAX)) return { ok: false, message: 'the token is worth too much' };
  const key = hash('sha256', JSON.stringify(secrets));
  return { ok: true, token: { text, mintUrl: mint, amountMsat: msat(amount), proofs, key } };
}

const isUnit = (unit: string): unit is keyof typeof MSAT_PER_UNIT =>
  Object.hasOwn(MSAT_PER_UNIT, unit);

function partsOf(text: string): Parts | null {
  const [, version, body] = /^cashu([AB])([A-Za-z0-9_-]+)=*$/.exec(text) ?? [];
  if (body === undefined) return null;
  const data = Buffer.from(body, 'base64url');
  return version === 'A' ? readJson(data) : readCbor(data);
}

function readJson(data: Buffer): Parts | null {
  let value: unknown;
  try {
    value = JSON.parse(data.toString());
  } catch {
    return null;
  }
  const parsed = jsonToken.safeParse(value);
  if (!parsed.success) return null;
  const { mint, proofs } = parsed.data.token[0]!;
  return {
    mint,
    // NUT-00: a version 3 token without a unit is in sat.
    unit: parsed.data.unit ?? 'sat',
    proofs: proofs.map(({ amount, id, secret, C }) => ({
      amount,
      keysetId: id,
      secret,
      signature: C,
    })),
  };
}

function readCbor(data: Buffer): Parts | null {
  let value: unknown;
  try {
    value = decodeCbor(data);
  } catch (error) {
    if (!(error instanceof CborError)) throw error;
    return null;
  }
  const parsed = cborToken.safeParse(value);
  if (!parsed.success) return null;
  const { m: mint, u: unit, t } = parsed.data;
  const proofs = t.flatMap(({ i, p }) =>
    p.map(({ a, s, c }) => ({
      amount: a,
      keysetId: Buffer.from(i).toString('hex'),
      secret: s,
      signature: Buffer.from(c).toString('hex'),
    })),
  );
  return proofs.every(({ signature }) => point.safeParse(signature).success)
    ? { mint, unit, proofs }
    : null;
}
