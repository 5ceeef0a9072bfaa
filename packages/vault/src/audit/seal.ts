/**
 * Seals: SHA-256, or HMAC-SHA-256 where AUDIT_KEY is set. Without the key a seal shows damage and
 * careless edits; with it nobody can rewrite a chain who does not have the key.
 */
import { createHmac, hash } from 'node:crypto';

export interface Seal {
  /** Of one audit row, over everything in it and the hash of the row before. */
  row(
    previous: string,
    chainName: string,
    seq: number,
    at: number,
    action: string,
    facts: string,
  ): string;
  clock(ledgerMs: number): string;
  /** Of an exported checkpoint, over the digest of its content. */
  checkpoint(contentDigest: string): string;
  /** Names the key without telling it; `none` without one. */
  readonly keyId: string;
}

export function createSeal(auditKey: string | null): Seal {
  const digest =
    auditKey === null
      ? (text: string) => hash('sha256', text, 'base64url')
      : (text: string) => createHmac('sha256', auditKey).update(text).digest('base64url');
  return {
    // No field but the last may hold a line feed, so that no two rows have the same text.
    row: (previous, chainName, seq, at, action, facts) =>
      digest(`${previous}\n${chainName}\n${seq}\n${at}\n${action}\n${facts}`),
    clock: (ledgerMs) => digest(`clock\n${ledgerMs}`),
    checkpoint: (contentDigest) => digest(`checkpoint\n${contentDigest}`),
    keyId: auditKey === null ? 'none' : digest('key id').slice(0, 16),
  };
}
