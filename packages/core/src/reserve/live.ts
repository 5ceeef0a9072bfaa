/**
 * Reservations whose request lives in this process, from before the reserve call to their end. A
 * hold that would expire is extended, so that expiry stays what it is: the backstop of a dead core.
 */
import type { Vault } from '../ports.ts';

/** Length of a hold at reserve and at each extension, seconds. */
export const HOLD_SECS = 60;
const EXTEND_AFTER_MS = 20_000;
const TICK_MS = 5_000;

export interface LiveHolds {
  add(reservationId: string): void;
  remove(reservationId: string): void;
  has(reservationId: string): boolean;
  readonly size: number;
  stop(): void;
}

interface LiveLog {
  warn(fields: object, message: string): void;
}

export function createLiveHolds(vault: Vault | null, log: LiveLog, nowMs: () => number): LiveHolds {
  /** Id → when its hold was last known to have HOLD_SECS left. */
  const live = new Map<string, number>();

  async function extend(id: string): Promise<void> {
    const reply = await vault!.extend(id, HOLD_SECS);
    if (reply.kind === 'ok') return;
    if (reply.kind === 'unreachable') {
      // Due again at the next tick: two more tries fit before the hold ends.
      if (live.has(id)) live.set(id, nowMs() - EXTEND_AFTER_MS);
      return;
    }
    log.warn(
      { reservation_id: id, vault_code: reply.code },
      'hold of a live request could not be extended; its settle will be booked as late',
    );
  }

  function tick(): void {
    const atMs = nowMs();
    for (const [id, sinceMs] of live) {
      if (atMs - sinceMs < EXTEND_AFTER_MS) continue;
      live.set(id, atMs);
      void extend(id);
    }
  }

  const timer = vault === null ? null : setInterval(tick, TICK_MS);
  return {
    add: (id) => live.set(id, nowMs()),
    remove: (id) => live.delete(id),
    has: (id) => live.has(id),
    get size() {
      return live.size;
    },
    stop() {
      if (timer !== null) clearInterval(timer);
    },
  };
}
