/**
 * `kind = "mock"`: a provider inside this process. It is a real HTTP server on a free port of
 * 127.0.0.1, so that mocks go through the same upstream code as everybody else; tests use it as
 * the provider that misbehaves.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HEADERS } from '@arbstr/shared';
import { warmTokenizer } from '../../tokens/count.ts';
import { BEHAVIOUR_DEFAULTS, isFaulty, type MockBehaviour, type MockCall } from './behaviour.ts';
import { CallLog, type OpenCall } from './call-log.ts';
import { planAnswer, whole } from './plan.ts';
import { play } from './play.ts';
import type { Step } from './step.ts';
import { CHAT, errorBody, type MockEndpoint } from './wire.ts';
import { COMPLETIONS } from './wire-completions.ts';
import { EMBEDDINGS } from './wire-embeddings.ts';
import { RESPONSES } from './wire-responses.ts';

export interface MockOptions extends Partial<MockBehaviour> {
  /** Others are 404, and `GET /v1/models` lists these; null = any. */
  readonly models?: readonly string[] | null;
  /** Where set, others are 401. */
  readonly apiKey?: string | null;
  /** Overrides the behaviour, per request for an answer. */
  readonly script?: (call: MockCall) => Partial<MockBehaviour> | undefined;
  /** Calls that are remembered; 0 = none. */
  readonly keepCalls?: number;
}

export interface MockProvider {
  /** The base for `url` of a provider: ends in `/v1`. */
  readonly url: string;
  /** The newest requests, oldest first. */
  readonly calls: readonly MockCall[];
  /** All requests so far. */
  readonly callCount: number;
  /** Requests to routes that no provider has: "GET /v1/nothing". */
  readonly unexpected: readonly string[];
  /** Takes no more connections; what runs ends as it would. */
  retire(): Promise<void>;
  /** Ends every connection and every wait; idempotent. */
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 64 * 1024 * 1024;
const KEEP_CALLS_DEFAULT = 100;
/** Longer than any client keeps an idle connection, so that the client is the one to close it. */
const KEEP_ALIVE_MS = 60_000;

export async function startMockProvider(options: MockOptions = {}): Promise<MockProvider> {
  warmTokenizer();
  const log = new CallLog(options.keepCalls ?? KEEP_CALLS_DEFAULT);
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    void serve(request, response, options, log);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  let closed: Promise<void> | null = null;
  const retire = (): Promise<void> => {
    closed ??= new Promise((resolve) => server.close(() => resolve()));
    return closed;
  };
  return {
    url: `http://127.0.0.1:${port}/v1`,
    get calls() {
      return log.calls;
    },
    get callCount() {
      return log.count;
    },
    get unexpected() {
      return log.unexpected;
    },
    retire,
    close() {
      const ended = retire();
      server.closeAllConnections();
      return ended;
    },
  };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: MockOptions,
  log: CallLog,
): Promise<void> {
  const gone = new AbortController();
  // A broken connection is an expected end here; `close` follows and says so.
  response.on('error', () => {});
  response.once('close', () => gone.abort());
  let call: OpenCall | null = null;
  try {
    const body = await readBody(request);
    if (body === null) {
      response.writeHead(413, { connection: 'close' }).end(errorBody(413, 'Body too large.'));
      return;
    }
    call = log.open(request, body);
    const { sent } = call;
    call.end(await play(answerTo(call, options, log), response, gone.signal, sent));
  } catch (error) {
    // A test's script, or a bug here: an answer that says so beats a process that is gone.
    call?.end('cut');
    if (response.headersSent) response.destroy();
    else response.writeHead(500).end(errorBody(500, String(error), 'mock_failed'));
  }
}

/** null = broken off, or larger than any provider takes. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length;
      if (bytes > BODY_BYTES_MAX) return null;
      chunks.push(chunk as Buffer);
    }
  } catch {
    return null;
  }
  return Buffer.concat(chunks);
}

function answerTo(call: OpenCall, options: MockOptions, log: CallLog): readonly Step[] {
  const headers = answerHeaders(call);
  const { authorization } = call.headers;
  const apiKey = options.apiKey ?? null;
  if (apiKey !== null && authorization !== `Bearer ${apiKey}`) {
    return whole(401, errorBody(401, 'Incorrect API key provided.', 'invalid_api_key'), headers);
  }
  switch (`${call.method} ${call.path}`) {
    case 'POST /v1/chat/completions':
      return answerOf(CHAT, call, options, log, headers);
    case 'POST /v1/responses':
      return answerOf(RESPONSES, call, options, log, headers);
    case 'POST /v1/completions':
      return answerOf(COMPLETIONS, call, options, log, headers);
    case 'POST /v1/embeddings':
      return answerOf(EMBEDDINGS, call, options, log, headers);
    case 'GET /v1/models':
      return whole(200, modelList(options.models ?? []), headers);
    default:
      log.refuse(`${call.method} ${call.path}`);
      return whole(404, errorBody(404, `Invalid URL (${call.method} ${call.path})`), headers);
  }
}

function answerOf(
  endpoint: MockEndpoint,
  call: OpenCall,
  options: MockOptions,
  log: CallLog,
  headers: Record<string, string>,
): readonly Step[] {
  const { script, models = null } = options;
  const behaviour: MockBehaviour = { ...BEHAVIOUR_DEFAULTS, ...options, ...script?.(call) };
  const faulty = isFaulty(log.nextAnswer(), behaviour.faultRate);
  return planAnswer({
    endpoint,
    json: call.json,
    behaviour: faulty ? behaviour : { ...behaviour, faults: [] },
    id: `${endpoint.idPrefix}${log.series}${call.nth}`,
    createdSecs: Math.floor(Date.now() / 1000),
    models,
    headers: { ...headers, ...behaviour.headers },
  });
}

function answerHeaders(call: OpenCall): Record<string, string> {
  const id = call.headers[HEADERS.requestId];
  return {
    [HEADERS.requestId]: typeof id === 'string' ? id : `req_mock${call.nth}`,
    'openai-processing-ms': '1',
    'openai-version': '2020-10-01',
  };
}

function modelList(models: readonly string[]): string {
  const data = models.map((id) => ({ id, object: 'model', created: 0, owned_by: 'mock' }));
  return JSON.stringify({ object: 'list', data });
}
