/**
 * Ids: a prefix that names the thing, and a ULID (48-bit ms timestamp, 80 random bits, Crockford
 * base 32; https://github.com/ulid/spec). They sort by time, so that indexes on them only append.
 */
import { z } from 'zod';

export const ID_PREFIXES = {
  agent: 'ag_',
  reservation: 'rsv_',
  transfer: 'tx_',
  payment: 'pay_',
  deposit: 'dep_',
  payout: 'po_',
  approval: 'apr_',
  policyVersion: 'pv_',
  agentToken: 'tok_',
  core: 'core_',
  ledgerEpoch: 'epoch_',
  request: 'req_',
  event: 'evt_',
} as const;
export type IdKind = keyof typeof ID_PREFIXES;

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_CHARS = 10;
const RANDOM_CHARS = 16;

/**
 * Makes ids of one process, strictly increasing: within one millisecond, and where the clock steps
 * back, the random part of the last id is incremented. Time and randomness are passed in.
 */
export function createIdSource(
  nowMs: () => number,
  randomBytes: (n: number) => Uint8Array,
): (kind: IdKind) => string {
  let lastMs = -1;
  const random = new Uint8Array(RANDOM_CHARS);
  return (kind) => {
    const ms = nowMs();
    if (ms > lastMs) {
      lastMs = ms;
      const bytes = randomBytes(RANDOM_CHARS);
      for (let i = 0; i < RANDOM_CHARS; i++) random[i] = bytes[i]! & 31;
      // Room to increment: with the top bit clear, 2^79 ids fit in one millisecond.
      random[0] = random[0]! & 15;
    } else {
      for (let i = RANDOM_CHARS - 1; i >= 0; i--) {
        random[i] = (random[i]! + 1) & 31;
        if (random[i] !== 0) break;
      }
    }
    return ID_PREFIXES[kind] + encode(lastMs, random);
  };
}

function encode(ms: number, random: Uint8Array): string {
  let rest = ms;
  let time = '';
  for (let i = 0; i < TIME_CHARS; i++) {
    time = ALPHABET[rest % 32]! + time;
    rest = Math.floor(rest / 32);
  }
  let tail = '';
  for (let i = 0; i < RANDOM_CHARS; i++) tail += ALPHABET[random[i]!];
  return time + tail;
}

const ULID_BYTES = 16;

/** An id that the first 16 of these bytes determine, for things that several processes must name alike. */
export function idFromBytes(kind: IdKind, bytes: Uint8Array): string {
  if (bytes.length < ULID_BYTES) throw new RangeError(`an id needs ${ULID_BYTES} bytes`);
  let rest = 0n;
  for (const byte of bytes.subarray(0, ULID_BYTES)) rest = (rest << 8n) | BigInt(byte);
  let text = '';
  for (let i = 0; i < TIME_CHARS + RANDOM_CHARS; i++) {
    text = ALPHABET[Number(rest & 31n)]! + text;
    rest >>= 5n;
  }
  return ID_PREFIXES[kind] + text;
}

const ULID_PATTERN = '[0-9A-HJKMNP-TV-Z]{26}';

export function idSchema(kind: IdKind) {
  const prefix = ID_PREFIXES[kind];
  return z
    .string()
    .regex(new RegExp(`^${prefix}${ULID_PATTERN}$`), { error: `must be ${prefix} and a ULID` });
}

/** One id across services; kept as the caller sent it. */
export const CORRELATION_ID_PATTERN = /^[A-Za-z0-9._:-]{1,128}$/;
export const correlationIdSchema = z
  .string()
  .regex(CORRELATION_ID_PATTERN, { error: 'must be 1 to 128 of A-Z a-z 0-9 . _ : -' });
