/**
 * The drain loop: every ended reservation is delivered to the vault, at once where it answers, then
 * with capped backoff, for ever. One row at a time while the vault is away, so that its return is
 * met by a probe and not by a flood; up to DELIVERIES_MAX at once while it answers.
 *
 * A row leaves only when the vault has given its word on it. Where that word contradicts the row
 * (the reservation ended otherwise), the vault's books stand, the row is kept as a conflict, and the
 * log says so: that money needs a human. Any other refusal is a fault in one of the two services:
 * the row stays undelivered, out of the way of the others, until the fault is mended.
 */
import type { VaultErrorCode } from '@arbstr/shared';
import type { JournalStore, UndeliveredRow, Vault, VaultReply } from '../ports.ts';

const DELIVERIES_MAX = 32;
const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 15_000;

/** A row that the vault does not accept for what it says is tried again this often. */
const STUCK_RETRY_MS = 60_000;

/** The vault's word that the reservation had come to an end before: the only refusals that are final. */
const ENDED_ALREADY: ReadonlySet<VaultErrorCode> = new Set([
  'already_settled',
  'already_settled_differently',
  'already_released',
]);

export interface Deliveries {
  add(row: UndeliveredRow): void;
  /** Rows that the vault has not taken yet, at least one failed try behind them. */
  readonly overdue: number;
  readonly undelivered: number;
  /** Since this process started. */
  readonly conflicts: number;
  /** Unix ms of the oldest undelivered end; null = none. */
  oldestMs(): number | null;
  /** Resolves when nothing is undelivered, or after `timeoutMs`; true = all delivered. */
  drained(timeoutMs: number): Promise<boolean>;
  stop(): void;
}

export interface DeliverLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  info(fields: object, message: string): void;
}

export interface DeliverDeps {
  readonly vault: Vault;
  readonly journal: JournalStore;
  readonly log: DeliverLog;
  readonly nowMs: () => number;
  readonly random: () => number;
}

export function createDeliveries(deps: DeliverDeps): Deliveries {
  const waiting = new Map<string, UndeliveredRow>();
  const flying = new Map<string, UndeliveredRow>();
  const stuck = new Map<string, { row: UndeliveredRow; timer: NodeJS.Timeout }>();
  let failedInARow = 0;
  let overdue = 0;
  let conflicts = 0;
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  const drainers = new Set<() => void>();

  const undelivered = (): number => waiting.size + flying.size + stuck.size;

  function pump(): void {
    if (stopped || timer !== null) return;
    const room = failedInARow > 0 ? 1 : DELIVERIES_MAX;
    for (const [id, row] of waiting) {
      if (flying.size >= room) return;
      waiting.delete(id);
      flying.set(id, row);
      void deliver(row);
    }
  }

  async function deliver(row: UndeliveredRow): Promise<void> {
    const reply = await send(deps.vault, row);
    flying.delete(row.reservationId);
    if (reply.kind === 'unreachable') {
      onUnreachable(row, reply.reason);
      return;
    }
    if (reply.kind === 'refused' && !ENDED_ALREADY.has(reply.code)) {
      onStuck(row, reply);
      pump();
      return;
    }
    if (failedInARow > 0) {
      deps.log.info(
        { undelivered: undelivered() + 1 },
        'vault answers again; delivering settlements',
      );
    }
    failedInARow = 0;
    overdue = 0;
    deps.journal.delivered(row.reservationId, deps.nowMs(), outcomeOf(row, reply));
    if (reply.kind === 'refused' && !row.recovered) onConflict(row, reply);
    if (undelivered() === 0) for (const wake of drainers) wake();
    pump();
  }

  function onUnreachable(row: UndeliveredRow, reason: string): void {
    waiting.set(row.reservationId, row);
    failedInARow++;
    overdue = undelivered();
    const capped = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failedInARow - 1, 16));
    const waitMs = Math.round(capped * (0.5 + deps.random() / 2));
    if (failedInARow === 1 || failedInARow % 16 === 0) {
      deps.log.warn(
        { reason, undelivered: undelivered(), retry_in_ms: waitMs },
        'vault does not take settlements; they wait in the journal, nothing is lost: check that the vault runs and that both have the same VAULT_INTERNAL_TOKEN',
      );
    }
    if (stopped || timer !== null) return;
    timer = setTimeout(() => {
      timer = null;
      pump();
    }, waitMs);
  }

  function onStuck(row: UndeliveredRow, reply: VaultReply<unknown> & { kind: 'refused' }): void {
    const id = row.reservationId;
    deps.log.error(
      {
        reservation_id: id,
        end: row.end.kind,
        vault_code: reply.code,
        vault_message: reply.message,
      },
      'vault does not accept a settlement; it stays in the journal and is tried every minute: compare the versions of core and vault, and vault.url',
    );
    const timer = setTimeout(() => {
      stuck.delete(id);
      waiting.set(id, row);
      pump();
    }, STUCK_RETRY_MS);
    stuck.set(id, { row, timer });
  }

  function onConflict(row: UndeliveredRow, reply: VaultReply<unknown> & { kind: 'refused' }): void {
    conflicts++;
    deps.log.error(
      {
        reservation_id: row.reservationId,
        wanted: row.end.kind,
        wanted_msats: row.end.kind === 'settle' ? row.end.settle.actual_msats : 0,
        vault_code: reply.code,
        vault_message: reply.message,
      },
      'vault refused the end of a reservation; its books stand as they are: compare this row of the journal with the agent history and correct by credit or debit',
    );
  }

  return {
    add(row) {
      waiting.set(row.reservationId, row);
      pump();
    },
    get overdue() {
      return failedInARow === 0 ? stuck.size : Math.max(overdue, undelivered());
    },
    get undelivered() {
      return undelivered();
    },
    get conflicts() {
      return conflicts;
    },
    oldestMs() {
      let oldest: number | null = null;
      const rows = [...waiting.values(), ...flying.values()];
      for (const row of [...rows, ...[...stuck.values()].map((entry) => entry.row)]) {
        if (oldest === null || row.endedAtMs < oldest) oldest = row.endedAtMs;
      }
      return oldest;
    },
    drained(timeoutMs) {
      if (undelivered() === 0) return Promise.resolve(true);
      return new Promise((resolve) => {
        const finish = () => {
          clearTimeout(limit);
          drainers.delete(finish);
          resolve(undelivered() === 0);
        };
        const limit = setTimeout(finish, timeoutMs);
        drainers.add(finish);
      });
    },
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      timer = null;
      for (const entry of stuck.values()) clearTimeout(entry.timer);
    },
  };
}

function send(vault: Vault, row: UndeliveredRow): Promise<VaultReply<unknown>> {
  return row.end.kind === 'settle'
    ? vault.settle(row.end.settle)
    : vault.release(row.reservationId, row.end.reason);
}

function outcomeOf(row: UndeliveredRow, reply: VaultReply<unknown>): string {
  if (reply.kind === 'refused') {
    return `${row.recovered ? 'ended_before' : 'conflict'}:${reply.code}`;
  }
  return row.end.kind === 'settle' ? 'settled' : 'released';
}
