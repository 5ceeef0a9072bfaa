/** What the vault needs from outside itself; passed in, so that tests decide time and chance. */
import type { IdKind } from '@arbstr/shared';

export interface Clock {
  /** Unix time in whole ms; may be set back. */
  now(): number;
  /** Whole ms since some moment; never runs backwards. */
  elapsed(): number;
}

/** The ledger's time, Unix ms; never runs backwards. */
export type Time = Pick<Clock, 'now'>;

export type NewId = (kind: IdKind) => string;
export type RandomBytes = (length: number) => Uint8Array;
