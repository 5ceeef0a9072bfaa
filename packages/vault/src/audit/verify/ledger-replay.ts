import { META_AUDIT_KEY_ID, META_EPOCH, META_MODE } from '../../ledger/meta.ts';
import type { Fact } from './chain.ts';
import { FactsError, optionalText, text } from './facts.ts';
import type { Lookups, Row } from './lookups.ts';
import { checkRemembered } from './remembered.ts';
import type { ReplayDeps } from './replay-deps.ts';
import { compareRow, type Report } from './report.ts';
import type { Totals } from './totals.ts';

/** The ledger's own chain: how it began, and which reservations were forbidden before they came. */
export class LedgerReplay {
  readonly #deps: ReplayDeps;
  readonly #lookups: Lookups;
  readonly #report: Report;
  readonly #totals: Totals;
  readonly #meta: ReadonlyMap<string, string>;
  readonly #rails = new Map<string, Row>();
  #created = false;
  #epoch = '';
  #keyId = '';
  /** null = never restored. */
  #mode: 'recovery' | 'normal' | null = null;

  constructor(deps: ReplayDeps, meta: ReadonlyMap<string, string>) {
    this.#deps = deps;
    this.#lookups = deps.lookups;
    this.#report = deps.report;
    this.#totals = deps.totals;
    this.#meta = meta;
  }

  apply(fact: Fact): void {
    const { seq, action, at, facts } = fact;
    const what = `ledger: audit row ${seq} (${action})`;
    try {
      if (action === 'LEDGER_CREATED') this.#begin(facts);
      else if (action === 'LEDGER_RESTORED') this.#restore(facts);
      else if (action === 'RECOVERY_FINISHED') this.#mode = 'normal';
      else if (action === 'RESERVATION_FORBIDDEN') this.#checkTombstone(facts, at);
      else if (action === 'RAIL_FROZEN') this.#setRail(facts, at, text(facts, 'reason'));
      else if (action === 'RAIL_THAWED') this.#setRail(facts, null, null);
      else if (action !== 'ANSWER_REMEMBERED' && !this.#deps.sellers.apply(fact, what)) {
        this.#report.add(`${what} is not an action of the ledger`);
      }
      checkRemembered(this.#deps, fact, what);
    } catch (error) {
      if (!(error instanceof FactsError)) throw error;
      this.#report.add(`${what} cannot be understood: ${error.message}`);
    }
  }

  finish(): void {
    if (!this.#created) this.#report.add('ledger: its audit chain does not say how it began');
    else this.#checkMeta();
    this.#totals.rails += this.#rails.size;
    for (const [name, expected] of this.#rails) {
      compareRow(this.#report, `rail ${name}`, expected, this.#lookups.rail(name));
    }
  }

  #setRail(facts: Fact['facts'], frozenAt: number | null, reason: string | null): void {
    this.#rails.set(text(facts, 'rail'), { frozen_at: frozenAt, reason });
  }

  #begin(facts: Fact['facts']): void {
    this.#created = true;
    this.#epoch = text(facts, META_EPOCH);
    this.#keyId = text(facts, META_AUDIT_KEY_ID);
  }

  #restore(facts: Fact['facts']): void {
    this.#epoch = text(facts, META_EPOCH);
    this.#mode = 'recovery';
  }

  #checkMeta(): void {
    const expected = {
      [META_EPOCH]: this.#epoch,
      [META_AUDIT_KEY_ID]: this.#keyId,
      ...(this.#mode !== null && { [META_MODE]: this.#mode }),
    };
    for (const [key, value] of Object.entries(expected)) {
      if (this.#meta.get(key) !== value) {
        this.#report.add(
          `meta ${key}: is ${this.#meta.get(key) ?? 'missing'}, the audit trail says ${value}`,
        );
      }
    }
    for (const key of this.#meta.keys()) {
      if (!(key in expected)) this.#report.add(`meta ${key}: does not belong here`);
    }
  }

  #checkTombstone(facts: Fact['facts'], at: number): void {
    const id = text(facts, 'reservation_id');
    optionalText(facts, 'reason');
    this.#totals.reservations++;
    this.#report.counts.reservations++;
    const expected: Row = {
      agent_no: null,
      core_id: null,
      correlation_id: null,
      model: null,
      requested_model: null,
      by_correlation: 0,
      amount: 0,
      state: 'released',
      created_at: at,
      expires_at: at,
      balance_after_hold: null,
      ended_at: at,
      asked: null,
      charged: null,
      balance_after_end: null,
      usage: null,
    };
    compareRow(this.#report, `reservation ${id}`, expected, this.#lookups.reservation(id));
  }
}
