/**
 * Ecash of the simulated wallet, in the form of a real one (NUT-00, version 3: `cashuA` and
 * base64url JSON), of a mint that does not exist. One proof carries the whole amount.
 */
import type { Msat } from '@arbstr/shared';
import type { RandomBytes } from '../../ports.ts';

/** `.invalid` can never be a real host (RFC 2606). */
export const SIMULATED_MINT_URL = 'https://mint.simulated.invalid';
const KEYSET_ID = '0073696d756c6174';

export interface NewToken {
  readonly text: string;
  readonly secret: string;
  readonly signature: string;
}

export function issueToken(amount: Msat, randomBytes: RandomBytes): NewToken {
  const hex = (bytes: number) => Buffer.from(randomBytes(bytes)).toString('hex');
  const proof = { amount, id: KEYSET_ID, secret: hex(32), C: `02${hex(32)}` };
  const token = { token: [{ mint: SIMULATED_MINT_URL, proofs: [proof] }], unit: 'msat' };
  return {
    text: `cashuA${Buffer.from(JSON.stringify(token)).toString('base64url')}`,
    secret: proof.secret,
    signature: proof.C,
  };
}
