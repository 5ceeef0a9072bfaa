/**
 * An audit checkpoint: where every audit chain stood at one moment, in a file to be kept where
 * nobody who can write the database can reach it. Lines of ASCII, each ended by one line feed:
 *
 *   {"format":"arbstr-audit-checkpoint","version":1,"ledger_epoch":…,"audit_key_id":…,
 *    "at":…,"audit_rows":…,"chains":…}                    one line; `at` is Unix ms of the ledger
 *   0 ledger 12 <hash>                                    chain, whose it is, its last row, that
 *   1 ag_01… 5 <hash>                                     row's hash; by the number of the chain
 *   {"digest":…,"signature":…}
 *
 * `digest` is SHA-256 over all bytes before its line, base64url; `signature` the seal over it, an
 * HMAC where the ledger has an AUDIT_KEY. A row's hash covers all rows before it, so one line says
 * what a whole chain was, and a file is some 90 bytes for each agent, whatever their history.
 */
import { z } from 'zod';
import { StartError } from '../../errors.ts';

export const FORMAT = 'arbstr-audit-checkpoint';
export const VERSION = 1;
/** A line of a file that is one is 200 bytes at most. */
export const LINE_BYTES_MAX = 1_024;

const header = z.object({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  ledger_epoch: z.string(),
  audit_key_id: z.string(),
  at: z.int(),
  audit_rows: z.int(),
  chains: z.int(),
});
export type CheckpointHeader = z.infer<typeof header>;

const end = z.object({ digest: z.string(), signature: z.string() });
export type CheckpointEnd = z.infer<typeof end>;

/** Where one chain stood. */
export interface ChainMark {
  readonly chain: number;
  readonly name: string;
  readonly seq: number;
  readonly hash: string;
}

/** No file that this vault can compare with; the message says why. Nothing was compared. */
export class CheckpointError extends StartError {}

export const lineOf = ({ chain, name, seq, hash }: ChainMark): string =>
  `${chain} ${name} ${seq} ${hash}`;

const MARK = /^(\d{1,15}) ([\w-]{1,64}) (\d{1,15}) ([\w-]{43})$/;

/** null: not a line about a chain. */
export function readMark(line: string): ChainMark | null {
  const found = MARK.exec(line);
  if (found === null) return null;
  const [, chain, name, seq, hash] = found as unknown as [string, string, string, string, string];
  return { chain: Number(chain), name, seq: Number(seq), hash };
}

export function readHeader(line: string): CheckpointHeader {
  const value = parse(line);
  const parsed = header.safeParse(value);
  if (parsed.success) return parsed.data;
  const version = (value as { version?: unknown } | null)?.version;
  throw new CheckpointError(
    typeof version === 'number' && version > VERSION
      ? `it has version ${version} of the format, this vault knows ${VERSION}: verify with a newer vault`
      : 'it is no audit checkpoint',
  );
}

export function readEnd(line: string): CheckpointEnd | null {
  return end.safeParse(parse(line)).data ?? null;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
