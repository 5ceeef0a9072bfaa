import type { Fact } from './chain.ts';
import { integer, text } from './facts.ts';
import type { Row } from './lookups.ts';
import type { ReplayDeps } from './replay-deps.ts';
import { compareRow } from './report.ts';

/** Rebuilds what approvals of inference gave to one agent, and which reservations took it. */
export class GrantReplay {
  readonly #deps: ReplayDeps;
  readonly #agentNo: number;
  /** Those that nobody consumed: the others were compared at that. */
  readonly #grants = new Map<string, Row>();

  constructor(deps: ReplayDeps, agentNo: number) {
    this.#deps = deps;
    this.#agentNo = agentNo;
  }

  /** The facts of APPROVAL_GRANTED, of inference. */
  give({ facts }: Fact): void {
    this.#deps.totals.grants++;
    this.#grants.set(text(facts, 'approval_id'), {
      agent_no: this.#agentNo,
      model: text(facts, 'model'),
      rule: text(facts, 'rule'),
      amount_max: integer(facts, 'granted_max'),
      expires_at: integer(facts, 'granted_until'),
      reservation_id: null,
      consumed_at: null,
    });
  }

  /** @param what names the audit row; `reservation` is its reservation's row */
  take(what: string, reservation: Row): void {
    for (const [id, grant] of this.#of(reservation)) {
      if (!grant || grant.reservation_id !== null) {
        this.#deps.report.add(`${what}: takes ${id}, which is not free`);
      }
      if (grant) grant.reservation_id = reservation.id!;
    }
  }

  consume(reservation: Row, at: number): void {
    for (const [id, grant] of this.#of(reservation)) {
      if (grant?.reservation_id === reservation.id) this.#end(id, { ...grant, consumed_at: at });
    }
  }

  giveBack(reservation: Row): void {
    for (const [, grant] of this.#of(reservation)) {
      if (grant?.reservation_id === reservation.id) grant!.reservation_id = null;
    }
  }

  /** The bill of an expired reservation consumes what nobody has taken since. */
  consumeLate(reservation: Row, at: number): void {
    for (const [id, grant] of this.#of(reservation)) {
      if (grant?.reservation_id !== null) continue;
      this.#end(id, { ...grant, reservation_id: reservation.id!, consumed_at: at });
    }
  }

  finish(): void {
    for (const [id, grant] of this.#grants) this.#compare(id, grant);
  }

  #end(id: string, grant: Row): void {
    this.#grants.delete(id);
    this.#compare(id, grant);
  }

  #compare(id: string, grant: Row): void {
    const { lookups, report } = this.#deps;
    compareRow(report, `grant of ${id}`, grant, lookups.grant(id));
  }

  #of(reservation: Row): [string, Row | undefined][] {
    const ids = reservation.approval_ids;
    if (typeof ids !== 'string') return [];
    return ids.split(' ').map((id) => [id, this.#grants.get(id)]);
  }
}
