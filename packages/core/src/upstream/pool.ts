import { HEADERS } from '@arbstr/shared';
import { type Dispatcher, Pool } from 'undici';
import type { ProviderConfig } from '../config/types.ts';
import type {
  BodyChunk,
  Upstream,
  UpstreamBody,
  UpstreamHeaders,
  UpstreamReply,
} from '../ports.ts';

/** Header block of an answer; undici refuses a larger one. */
const HEADER_BYTES_MAX = 64 * 1024;
/** What may still come after the end marker before the connection is closed instead of reused. */
const DISCARD_BYTES_MAX = 64 * 1024;
const DISCARD_MS = 1_000;
/**
 * Below the 5 s after which Node and uvicorn close an idle connection: a request that meets their FIN
 * on the way fails, and nobody knows whether it was read.
 */
const KEEP_ALIVE_MS = 4_000;

/**
 * The provider side over undici: one pool per provider, so that one that hangs cannot take the
 * sockets of another. All timers are the caller's (its abort signal): connect is the only one that
 * needs the socket. Redirects are not followed. The caller's credentials and address never appear.
 */
export function createUpstream(): Upstream {
  const pools = new Map<string, { pool: Pool; base: string }>();

  function poolOf(provider: ProviderConfig): { pool: Pool; base: string } {
    const key = keyOf(provider);
    let entry = pools.get(key);
    if (entry === undefined) {
      const url = new URL(provider.url);
      entry = {
        pool: new Pool(url.origin, {
          connections: provider.maxConcurrency,
          connect: { timeout: provider.timeouts.connectMs },
          headersTimeout: 0,
          bodyTimeout: 0,
          keepAliveTimeout: KEEP_ALIVE_MS,
          maxHeaderSize: HEADER_BYTES_MAX,
        }),
        base: url.pathname.replace(/\/+$/, ''),
      };
      pools.set(key, entry);
    }
    return entry;
  }

  return {
    send(provider, { path, body, correlationId, streaming, signal }): Promise<UpstreamReply> {
      const { pool, base } = poolOf(provider);
      return new Promise((resolve) => {
        const exchange = new Exchange(signal, resolve);
        pool.dispatch(
          {
            method: 'POST',
            path: base + path,
            headers: {
              'content-type': 'application/json',
              accept: streaming ? 'text/event-stream' : 'application/json',
              // What passes byte for byte must be readable on the way.
              'accept-encoding': 'identity',
              [HEADERS.requestId]: correlationId,
              ...(provider.apiKey === null
                ? {}
                : { authorization: `Bearer ${provider.apiKey.reveal()}` }),
            },
            body,
          },
          exchange,
        );
      });
    },
    async retain(providers) {
      const keep = new Set(providers.map(keyOf));
      const ended = [...pools].filter(([key]) => !keep.has(key));
      for (const [key] of ended) pools.delete(key);
      // Graceful: what is under way ends first.
      await Promise.all(ended.map(([, { pool }]) => pool.close()));
    },
    async close() {
      await Promise.all([...pools.values()].map(({ pool }) => pool.destroy()));
    },
  };
}

/** All that a pool is made of: a provider that keeps these keeps its connections. */
const keyOf = ({ name, url, maxConcurrency, timeouts }: ProviderConfig): string =>
  `${name} ${url} ${maxConcurrency} ${timeouts.connectMs}`;

/** What node, OpenSSL or undici call it: short, and without addresses. */
function wordsOf(error: Error & { code?: string }): string {
  return error.code ?? error.message;
}

/** Body bytes that wait to be read before the socket is paused. */
const BUFFERED_BYTES_MAX = 64 * 1024;

/**
 * One request and its answer, straight from undici's parser to whoever pulls the body: chunks wait
 * in a short list, and a full list pauses the socket, so that a slow caller slows the provider.
 */
class Exchange implements Dispatcher.DispatchHandler, UpstreamBody {
  readonly #signal: AbortSignal;
  readonly #answer: (reply: UpstreamReply) => void;
  readonly #onAbort = (): void => this.#abort();
  #controller: Dispatcher.DispatchController | null = null;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #end: BodyChunk | null = null;
  #wake: (() => void) | null = null;

  constructor(signal: AbortSignal, answer: (reply: UpstreamReply) => void) {
    this.#signal = signal;
    this.#answer = answer;
    if (signal.aborted) this.#abort();
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  // ── What undici says ───────────────────────────────────────────────────────────────────────────

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Aborted while it waited for a connection: nothing was sent.
    if (this.#end !== null) controller.abort(new Error('aborted'));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: UpstreamHeaders,
  ): void {
    // 1xx is only a word on the way (RFC 9110 §15.2).
    if (status >= 200) this.#answer({ kind: 'answer', status, headers, body: this });
  }

  onResponseData(controller: Dispatcher.DispatchController, bytes: Buffer): void {
    this.#chunks.push(bytes);
    this.#buffered += bytes.length;
    if (this.#buffered > BUFFERED_BYTES_MAX) controller.pause();
    this.#notify();
  }

  onResponseEnd(): void {
    this.#finish({ kind: 'end' });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const message = wordsOf(error);
    // undici starts a request once its connection is up, TLS and all: without it nothing was sent.
    const kind = this.#controller === null ? 'not_connected' : 'broken';
    this.#finish({ kind: 'failed', message });
    // Where the answer has begun already, this says nothing new: a promise resolves once.
    this.#answer({ kind: 'failed', failure: { kind, message } });
  }

  // ── What the reader asks ───────────────────────────────────────────────────────────────────────

  async next(): Promise<BodyChunk> {
    for (;;) {
      const bytes = this.#chunks.shift();
      if (bytes !== undefined) {
        this.#buffered -= bytes.length;
        if (this.#controller?.paused && this.#buffered <= BUFFERED_BYTES_MAX / 2) {
          this.#controller.resume();
        }
        return { kind: 'chunk', bytes };
      }
      if (this.#end !== null) return this.#end;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  cancel(): void {
    this.#abort();
  }

  discard(): void {
    void discardRest(this);
  }

  #abort(): void {
    if (this.#end !== null) return;
    this.#chunks = [];
    this.#finish({ kind: 'aborted' });
    this.#answer({ kind: 'aborted', sent: this.#controller !== null });
    this.#controller?.abort(new Error('aborted'));
  }

  #finish(end: BodyChunk): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#notify();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = null;
  }
}

async function discardRest(body: UpstreamBody): Promise<void> {
  const timer = setTimeout(() => body.cancel(), DISCARD_MS);
  let bytes = 0;
  for (;;) {
    const chunk = await body.next();
    if (chunk.kind !== 'chunk') break;
    bytes += chunk.bytes.length;
    if (bytes > DISCARD_BYTES_MAX) body.cancel();
  }
  clearTimeout(timer);
}
