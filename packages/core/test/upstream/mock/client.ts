/** A provider's client as bare as can be: what came over the wire, and how it ended. */
import { Agent, request } from 'undici';
import { afterEach } from 'vitest';
import {
  type MockOptions,
  type MockProvider,
  startMockProvider,
} from '../../../src/upstream/mock/server.ts';

const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

const running: MockProvider[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((provider) => provider.close()));
});

/** Closed after the test. */
export async function start(options: MockOptions = {}): Promise<MockProvider> {
  const provider = await startMockProvider(options);
  running.push(provider);
  return provider;
}

export interface Received {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  bytes: Buffer;
  /** Bytes of each read. */
  reads: Buffer[];
  /** When each read came, ms after the headers. */
  times: number[];
  /** Why the body did not come to its end; null = it did. */
  broken: string | null;
}

export interface SendOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Called with all bytes so far; true = that is enough. */
  enough?: (bytes: number) => boolean;
}

export function chatBody(fields: object = {}): object {
  return { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello there' }], ...fields };
}

/** Rejects where not even headers came. */
export async function send(
  provider: MockProvider,
  body: unknown,
  { headers = {}, signal, enough }: SendOptions = {},
): Promise<Received> {
  const answer = await request(`${provider.url}/chat/completions`, {
    method: 'POST',
    dispatcher: agent,
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(signal && { signal }),
  });
  const begun = performance.now();
  const reads: Buffer[] = [];
  const times: number[] = [];
  let broken: string | null = null;
  try {
    for await (const chunk of answer.body) {
      reads.push(chunk);
      times.push(performance.now() - begun);
      if (enough?.(reads.reduce((sum, read) => sum + read.length, 0))) break;
    }
  } catch (error) {
    broken = String(error);
  }
  const bytes = Buffer.concat(reads);
  return {
    status: answer.statusCode,
    headers: answer.headers,
    text: bytes.toString('utf8'),
    bytes,
    reads,
    times,
    broken,
  };
}

export interface Chunk {
  id: string;
  object: string;
  created: number;
  model: string;
  choices: {
    index: number;
    delta: {
      role?: string;
      content?: string | null;
      tool_calls?: {
        index: number;
        id?: string;
        type?: string;
        function: { name?: string; arguments: string };
      }[];
    };
    finish_reason: string | null;
  }[];
  usage?: Usage | null;
  error?: { message: string; type: string; code: string | null };
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
  completion_tokens_details: { reasoning_tokens: number };
}

/** Payloads of the data events, `[DONE]` included. */
export function payloads(text: string): string[] {
  return text
    .split(/\r?\n\r?\n/)
    .filter((event) => event.startsWith('data: '))
    .map((event) => event.slice('data: '.length));
}

export function chunks(text: string): Chunk[] {
  return payloads(text)
    .filter((data) => data !== '[DONE]')
    .map((data) => JSON.parse(data) as Chunk);
}

export function contentOf(all: Chunk[], choice = 0): string {
  return all
    .flatMap(({ choices }) => choices)
    .filter(({ index }) => index === choice)
    .map(({ delta }) => delta.content ?? '')
    .join('');
}

/** The error of a promise that must fail. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('this was expected to fail');
}
