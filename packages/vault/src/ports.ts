/** What the vault needs from outside itself; passed in, so that tests decide time and chance. */
import type { IdKind } from '@arbstr/shared';

export interface Clock {
  /** Unix time in ms. */
  now(): number;
}

export type NewId = (kind: IdKind) => string;
export type RandomBytes = (length: number) => Uint8Array;
