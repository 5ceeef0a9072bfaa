import type { Fact } from './chain.ts';
import { FactsError, integer, optionalInteger, text } from './facts.ts';
import type { Row } from './lookups.ts';
import type { ReplayDeps } from './replay-deps.ts';
import { compareRow } from './report.ts';

/** Rebuilds one agent's tokens from its audit trail: each as it was made and as it was ended. */
export class TokenReplay {
  readonly #deps: ReplayDeps;
  readonly #agentNo: number;
  readonly #tokens = new Map<string, Row>();

  constructor(deps: ReplayDeps, agentNo: number) {
    this.#deps = deps;
    this.#agentNo = agentNo;
  }

  /** The facts of a registration or of TOKEN_ISSUED. */
  issue({ facts, at }: Fact): void {
    this.#deps.totals.agent_tokens++;
    this.#tokens.set(text(facts, 'token_id'), {
      agent_no: this.#agentNo,
      token_hash: text(facts, 'token_hash'),
      scopes: text(facts, 'scopes'),
      created_at: at,
      expires_at: optionalInteger(facts, 'expires_at'),
      revoked_at: null,
    });
    if (facts.ends === undefined) return;
    if (!Array.isArray(facts.ends)) throw new FactsError('ends is not a list');
    for (const end of facts.ends) this.#end(text(end, 'token_id'), integer(end, 'at'));
  }

  revoke({ facts, at }: Fact): void {
    this.#end(text(facts, 'token_id'), at);
  }

  finish(): void {
    const { lookups, report } = this.#deps;
    for (const [id, row] of this.#tokens) {
      compareRow(report, `agent_tokens ${id}`, row, lookups.token(id));
    }
  }

  #end(id: string, at: number): void {
    const row = this.#tokens.get(id);
    if (row === undefined) throw new FactsError(`${id} is no token of this agent`);
    row.revoked_at = at;
  }
}
