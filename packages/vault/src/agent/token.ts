import { hash } from 'node:crypto';
import type { RandomBytes } from '../ports.ts';

const TOKEN_BYTES = 32;

/** 256 random bits, shown once; only the hash is stored. */
export function newAgentToken(randomBytes: RandomBytes): string {
  return `vtk_${Buffer.from(randomBytes(TOKEN_BYTES)).toString('base64url')}`;
}

/**
 * The key under which a token is found. Looking up a hash takes a time that says nothing about how
 * close a guess was, because nobody can steer the hash of a guess.
 */
export function tokenHash(token: string): string {
  return hash('sha256', token, 'base64url');
}
