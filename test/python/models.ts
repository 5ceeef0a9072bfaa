/**
 * The models that the Python tests ask for. A model's name says what its provider does, so that a
 * test reads in one place; nothing else crosses over from the one language to the other.
 */
import { readFileSync } from 'node:fs';
import type { MockBehaviour, MockCall } from '../../packages/core/src/upstream/mock/behaviour.ts';

const fixture = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

export type Behave = (call: MockCall) => Partial<MockBehaviour>;

/** Statuses that a provider can answer with: `status-429`. */
const STATUSES = [400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 503];
export const RETRY_AFTER_SECS = 1;

/** At a provider with the default tolerance, 8 sats per 1k tokens. */
export const MODELS: Readonly<Record<string, Behave>> = {
  hello: () => ({ answer: 'Hello, world.' }),
  'acme/wide-7b:free': () => ({ answer: 'Hello, world.' }),
  /** As the request asks: JSON mode, schemas, n, images, bounds. */
  obliging: () => ({}),
  tools: weather,
  'split-writes': (call) => ({ ...weather(call), faults: [{ kind: 'split_writes' }] }),
  verbatim: ({ json }) => (isStream(json) ? verbatimStream() : verbatimWhole()),
  crlf: () => ({ answer: 'Hello, world.', faults: [{ kind: 'crlf' }] }),
  chatty: () => ({ answer: 'Hello, world.', faults: [{ kind: 'comments' }] }),
  'no-done': () => ({ answer: 'Hello, world.', faults: [{ kind: 'no_done' }] }),
  'no-usage': () => ({ answer: 'Hello, world.', faults: [{ kind: 'no_usage' }] }),
  'usage-every-chunk': () => ({ answer: 'Hello, world.', faults: [{ kind: 'usage_every_chunk' }] }),
  'usage-declined': () => ({
    answer: 'Hello, world.',
    faults: [{ kind: 'reject_stream_options' }],
  }),
  boasting: () => ({ answer: 'Hello, world.', faults: [{ kind: 'inflate_usage', factor: 1000 }] }),
  'dies-mid-stream': () => ({ faults: [{ kind: 'die_mid_stream', afterChunks: 5 }] }),
  'ends-mid-stream': () => ({ faults: [{ kind: 'end_mid_stream', afterChunks: 5 }] }),
  'fails-mid-stream': () => ({ faults: [{ kind: 'error_mid_stream', afterChunks: 5 }] }),
  'stalls-mid-stream': () => ({ faults: [{ kind: 'stall_mid_stream', afterChunks: 5 }] }),
  'damaged-mid-stream': () => ({ faults: [{ kind: 'invalid_json_event', afterChunks: 5 }] }),
  html: () => ({ faults: [{ kind: 'html_200' }] }),
  slow: () => ({ answer: 'Hello, world.', latencyMs: 1_500 }),
  /** Headers of a stream, and then nothing. */
  silent: () => ({ faults: [{ kind: 'hang_after_headers' }] }),
  long: () => ({ answer: 'word '.repeat(500), chunkDelayMs: 5 }),
  'limited-once': onceThen({ kind: 'status', status: 429, retryAfterSecs: 1, body: null }),
  ...Object.fromEntries(STATUSES.map((status) => [`status-${status}`, failing(status)])),
};

/** At a provider whose reports are believed; the request says what is reported. */
export const PRICED_MODEL = 'priced';
export const priced: Behave = ({ json }) => ({
  answer: 'Hello, world.',
  usage: (json as { x_report: Record<string, unknown> }).x_report,
});

/** Sats per 1M tokens and (the last) per request, as the operator writes them. */
export const PRICED_RATES = {
  input_rate: '1234.567',
  output_rate: '98765.432',
  cached_input_rate: '0.125',
  base_fee: '1.001',
} as const;

/** Sold by two: the cheaper one fails before its first byte. */
export const FALLBACK_MODEL = 'falls-back';

export function failing(status: number): Behave {
  return () => ({
    faults: [{ kind: 'status', status, retryAfterSecs: RETRY_AFTER_SECS, body: null }],
  });
}

function weather({ json }: MockCall): Partial<MockBehaviour> {
  const { messages } = json as { messages: { role: string }[] };
  if (messages.some(({ role }) => role === 'tool')) return { answer: 'Both are sunny.' };
  return {
    toolCalls: [
      { name: 'weather', arguments: '{"city":"Oslo","days":[1,2,3]}' },
      { name: 'weather', arguments: '{"city":"Zürich","days":[]}' },
    ],
  };
}

/** The first request with an id fails, those after it do not. */
function onceThen(fault: MockBehaviour['faults'][number]): Behave {
  const seen = new Set<unknown>();
  return ({ headers }) => {
    const id = headers['x-request-id'];
    if (seen.has(id)) return { answer: 'Hello, world.' };
    seen.add(id);
    return { faults: [fault] };
  };
}

const isStream = (json: unknown): boolean => (json as { stream?: boolean }).stream === true;

function verbatimStream(): Partial<MockBehaviour> {
  const bytes = Buffer.from(fixture('verbatim-stream.txt'));
  // Cut in the middle of a line, and of a character.
  const cut = bytes.indexOf('ü') + 1;
  return {
    steps: [
      { do: 'head', status: 200, headers: { 'content-type': 'text/event-stream; charset=utf-8' } },
      { do: 'write', data: bytes.subarray(0, cut) },
      { do: 'wait', ms: 20 },
      { do: 'write', data: bytes.subarray(cut) },
    ],
  };
}

function verbatimWhole(): Partial<MockBehaviour> {
  return {
    steps: [
      { do: 'head', status: 200, headers: { 'content-type': 'application/json' } },
      { do: 'write', data: fixture('verbatim-whole.txt') },
    ],
  };
}
