/** What the load generator is told to do, and what it found. Plain data between two processes. */

/** One HTTP request, ready to be written. */
export interface Shot {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What one connection does again and again; the next turn begins when the last answer is whole. */
export type Turns =
  | { readonly kind: 'same'; readonly shot: Shot; readonly streamed: boolean }
  /** A reserve and its settle, with an id of its own. */
  | { readonly kind: 'pairs'; readonly internalToken: string; readonly agents: readonly Payer[] };

export interface Payer {
  readonly id: string;
  readonly token: string;
}

export interface Job {
  readonly port: number;
  readonly turns: Turns;
  readonly connections: number;
  readonly warmMs: number;
  readonly measureMs: number;
  readonly turnsMax: number;
}

/** ms. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

export interface Findings {
  /** Finished within the measured time, per second. */
  readonly perSecond: number;
  /** All that were finished, warming included: what CPU time is divided by. */
  readonly turns: number;
  /** From the first byte written to the last one read, over all requests of a turn. */
  readonly turn: Latency;
  /** The same per request of a turn. */
  readonly requests: readonly Latency[];
  /** To the first byte of a body, of a turn's first request. */
  readonly firstByte: Latency;
}

export type Reply =
  | { readonly kind: 'findings'; readonly findings: Findings }
  | { readonly kind: 'failed'; readonly message: string };
