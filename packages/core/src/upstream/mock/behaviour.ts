/** What a mock provider was sent and what it does about it. */
import type { IncomingHttpHeaders } from 'node:http';
import type { MockSettings } from '../../config/types.ts';
import type { Step } from './step.ts';

/** `MockSettings` and what only a test sets. */
export interface MockBehaviour extends MockSettings {
  /** Instead of what the request asks for; [] = none. null = as the request asks. */
  readonly toolCalls: readonly MockToolCall[] | null;
  /** Instead of the counted usage, in any dialect. */
  readonly usage: Readonly<Record<string, unknown>> | null;
  /** Thought about and not shown; part of the reported output. */
  readonly reasoningTokens: number;
  /** Part of the prompt that was read from a cache. */
  readonly cachedTokens: number;
  /** Beside the usual ones. */
  readonly headers: Readonly<Record<string, string>>;
  /** The whole answer, byte by byte; null = composed from all of the above. */
  readonly steps: readonly Step[] | null;
}

export interface MockToolCall {
  readonly name: string;
  /** JSON. */
  readonly arguments: string;
}

export const BEHAVIOUR_DEFAULTS: MockBehaviour = {
  latencyMs: 0,
  chunkDelayMs: 0,
  answer: null,
  faults: [],
  faultRate: 1,
  toolCalls: null,
  usage: null,
  reasoningTokens: 0,
  cachedTokens: 0,
  headers: {},
  steps: null,
};

/** `answered`: to the end. `cut`: broken off by the mock. `client_gone`: by the other side. */
export type MockEnding = 'answered' | 'cut' | 'client_gone';

/** One request as it arrived. */
export interface MockCall {
  /** Counted from 1 over the life of the provider. */
  readonly nth: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** The body, parsed; undefined where it is not JSON. */
  readonly json: unknown;
  readonly state: 'running' | MockEnding;
  /** Data events written so far. */
  readonly chunksSent: number;
  readonly ended: Promise<MockEnding>;
}

/** Faults hit a share of the requests, evenly and predictably: at 0.25 requests 4, 8, 12 … */
export function isFaulty(nth: number, rate: number): boolean {
  // The nudge keeps 3 × ⅓ from being 0.999….
  const due = (count: number): number => Math.floor(count * rate + 1e-9);
  return due(nth) > due(nth - 1);
}
