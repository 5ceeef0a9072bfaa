/** One agent's two accounts, as its audit trail moves them. */
import { availableName, heldName } from '../../ledger/account.ts';
import type { Fact } from './chain.ts';
import { integer, transferIds } from './facts.ts';
import type { BaseDeps, ReplayDeps } from './replay-deps.ts';
import { compareRow } from './report.ts';

/** debit, credit, amount, kind */
export type Movement = readonly [debit: number, credit: number, amount: number, kind: string];

/** The transfers that an audit row names are those that its facts make, and nothing else. */
export function checkTransfers(
  { lookups, report, totals }: BaseDeps,
  fact: Fact,
  what: string,
  ref: string,
  movements: readonly Movement[],
): void {
  const ids = transferIds(fact.facts);
  const moving = movements.filter(([, , amount]) => amount !== 0);
  totals.transfers += ids.length;
  if (ids.length !== moving.length) {
    report.add(`${what}: names ${ids.length} transfers, it moved ${moving.length}`);
    return;
  }
  for (const [index, [debit, credit, amount, kind]] of moving.entries()) {
    const id = ids[index]!;
    const expected = { at: fact.at, debit, credit, amount, kind, ref };
    compareRow(report, `transfer ${id}`, expected, lookups.transfer(id));
  }
}

export class AgentBooks {
  readonly #deps: ReplayDeps;
  availableId = 0;
  heldId = 0;
  available = 0;
  held = 0;

  constructor(deps: ReplayDeps) {
    this.#deps = deps;
  }

  move(fact: Fact, what: string, ref: string, movements: readonly Movement[]): void {
    checkTransfers(this.#deps, fact, what, ref, movements);
  }

  /** What a row says was available then is what the rows before it give. */
  checkBalance(fact: Fact, what: string): void {
    const balance = integer(fact.facts, 'balance');
    if (balance === this.available) return;
    this.#deps.report.add(
      `${what}: says ${balance} msat were available then, the rows before it give ${this.available}`,
    );
  }

  finish(agentId: string): void {
    this.#checkAccount(this.availableId, availableName(agentId), this.available);
    this.#checkAccount(this.heldId, heldName(agentId), this.held);
  }

  #checkAccount(id: number, name: string, balance: number): void {
    const { lookups, report } = this.#deps;
    compareRow(report, `account ${name}`, { name, normal: 'credit', balance }, lookups.account(id));
  }
}
