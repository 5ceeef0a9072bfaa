/**
 * The money side of one request between reserve and its end. Exactly one of `settle` and `release`
 * takes effect; whichever comes second changes nothing.
 */
import type { Msat, SettleRequest } from '@arbstr/shared';
import type { DispatchSnapshot, JournalStore } from '../ports.ts';
import type { Bill } from '../pricing/bill.ts';
import type { Deliveries } from '../settle/deliver.ts';
import type { LiveHolds } from './live.ts';

export interface Hold {
  /** Null in free mode, where nothing is held. */
  readonly reservationId: string | null;
  readonly heldMsat: Msat | null;
  /** Available to the agent after this hold. */
  readonly balanceMsat: Msat | null;
  readonly ended: boolean;
  /** Before each dispatch: whose rates bill from here on, and for what prompt at least. */
  dispatched(snapshot: DispatchSnapshot, estimatedInputTokens: number): void;
  /** Output tokens delivered so far, by our own estimate. */
  metered(outputTokens: number): void;
  /** Resolves when the end survives the death of this process. */
  settle(bill: Bill, facts: SettleFacts): Promise<void>;
  release(reason: string): Promise<void>;
}

export interface SettleFacts {
  readonly provider: string;
  readonly model: string;
  readonly latencyMs: number;
}

/** Free mode: no money, so nothing to end. */
export function freeHold(): Hold {
  let ended = false;
  const end = async (): Promise<void> => {
    ended = true;
  };
  return {
    reservationId: null,
    heldMsat: null,
    balanceMsat: null,
    get ended() {
      return ended;
    },
    dispatched() {},
    metered() {},
    settle: end,
    release: end,
  };
}

export interface HoldDeps {
  readonly journal: JournalStore;
  readonly deliveries: Deliveries;
  readonly live: LiveHolds;
  readonly nowMs: () => number;
}

export interface HeldReservation {
  readonly reservationId: string;
  readonly agentId: string;
  readonly correlationId: string;
  readonly heldMsat: Msat;
  readonly balanceMsat: Msat;
}

export function vaultHold(deps: HoldDeps, reservation: HeldReservation): Hold {
  const { journal, live } = deps;
  const { reservationId } = reservation;
  let ended = false;

  async function end(ending: Parameters<JournalStore['end']>[1]): Promise<void> {
    if (ended) return;
    ended = true;
    live.remove(reservationId);
    const endedAtMs = deps.nowMs();
    const written = journal.end(reservationId, ending, endedAtMs);
    deps.deliveries.add({ reservationId, end: ending, endedAtMs, recovered: false });
    // A disk that refuses must not keep the answer from its caller: the row waits in memory and is
    // on its way to the vault already.
    if (journal.trouble === null) await written;
  }

  return {
    reservationId,
    heldMsat: reservation.heldMsat,
    balanceMsat: reservation.balanceMsat,
    get ended() {
      return ended;
    },
    dispatched(snapshot, estimatedInputTokens) {
      journal.dispatched(reservationId, snapshot, estimatedInputTokens);
    },
    metered(tokens) {
      if (!ended) journal.checkpoint(reservationId, tokens);
    },
    settle: (bill, facts) =>
      end({ kind: 'settle', settle: settleCommand(reservation, bill, facts) }),
    release: (reason) => end({ kind: 'release', reason }),
  };
}

/** Carries agent, correlation id and model too: a restored vault can book it without its hold. */
function settleCommand(
  reservation: HeldReservation,
  bill: Bill,
  facts: SettleFacts,
): SettleRequest {
  return {
    reservation_id: reservation.reservationId,
    actual_msats: bill.costMsat,
    tokens_in: bill.usage.inputTokens,
    tokens_out: bill.usage.outputTokens,
    provider: facts.provider,
    latency_ms: facts.latencyMs,
    provider_cost_msats: bill.providerCostMsat,
    estimated: bill.estimated,
    agent_id: reservation.agentId,
    correlation_id: reservation.correlationId,
    model: facts.model,
  };
}
