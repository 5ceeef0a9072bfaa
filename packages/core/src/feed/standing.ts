/**
 * How much a feed's word is worth, by its age. Pure.
 *
 *   pending ─▶ fresh ─▶ stale ─▶ expired         failed: never read, and the last try failed
 *                ▲────────┴────────┘ read again
 */
export type FeedStanding = 'pending' | 'failed' | 'fresh' | 'stale' | 'expired';

/** In refreshes: three in a row were missed. It is used still, and shown as stale. */
const STALE_REFRESHES = 3;
/** Then its prices no longer hold: nobody knows what is charged now. */
const EXPIRES_MS_MIN = 3_600_000;
const EXPIRES_REFRESHES = 10;

/** Older than this, ms, a feed has expired. */
export const expiresAfterMs = (refreshMs: number): number =>
  Math.max(EXPIRES_MS_MIN, EXPIRES_REFRESHES * refreshMs);

export interface FeedAge {
  /** null = never. */
  readonly readAtMs: number | null;
  readonly hasFailed: boolean;
  readonly refreshMs: number;
}

export function standingOf(
  { readAtMs, hasFailed, refreshMs }: FeedAge,
  nowMs: number,
): FeedStanding {
  if (readAtMs === null) return hasFailed ? 'failed' : 'pending';
  const ageMs = nowMs - readAtMs;
  if (ageMs > expiresAfterMs(refreshMs)) return 'expired';
  return ageMs > STALE_REFRESHES * refreshMs ? 'stale' : 'fresh';
}

/** Of the interval: it is never longer than was asked for. */
const JITTER_SHARE = 0.1;
const BACKOFF_MS = 1_000;
/** A feed that is away is asked as often as one that is there, or once a minute where that is less. */
const BACKOFF_MS_MAX = 60_000;
/** One that should be read every second must not be away for a minute. */
const BACKOFF_REFRESHES_MAX = 10;

/** Before the next reading, ms. `failures`: in a row. `random`: in [0, 1). */
export function pauseMs({ refreshMs, failures, retryAfterMs }: PauseOrder, random: number): number {
  const jitter = 1 - JITTER_SHARE * random;
  if (failures === 0) return refreshMs * jitter;
  const longest = Math.max(refreshMs, Math.min(BACKOFF_MS_MAX, BACKOFF_REFRESHES_MAX * refreshMs));
  const backoff = Math.min(BACKOFF_MS * 2 ** Math.min(failures - 1, 20), longest);
  return Math.max(backoff * jitter, retryAfterMs ?? 0);
}

export interface PauseOrder {
  readonly refreshMs: number;
  readonly failures: number;
  /** What the seller asked for; null = nothing. */
  readonly retryAfterMs: number | null;
}
