import { HEADERS } from '@arbstr/shared';
import { type Dispatcher, Pool } from 'undici';
import type { ProviderConfig } from '../config/types.ts';
import type { BodyChunk, Upstream, UpstreamBody, UpstreamReply } from '../ports.ts';

/** Header block of an answer; undici refuses a larger one. */
const HEADER_BYTES_MAX = 64 * 1024;
/** What may still come after the end marker before the connection is closed instead of reused. */
const DISCARD_BYTES_MAX = 64 * 1024;
const DISCARD_MS = 1_000;
const KEEP_ALIVE_MS = 10_000;

/**
 * The provider side over undici: one pool per provider, so that one that hangs cannot take the
 * sockets of another. All timers are the caller's (its abort signal): connect is the only one that
 * needs the socket. Redirects are not followed. The caller's credentials and address never appear.
 */
export function createUpstream(): Upstream {
  const pools = new Map<string, { pool: Pool; path: string }>();

  function poolOf(provider: ProviderConfig): { pool: Pool; path: string } {
    const key = `${provider.name} ${provider.url}`;
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
        path: `${url.pathname.replace(/\/+$/, '')}/chat/completions`,
      };
      pools.set(key, entry);
    }
    return entry;
  }

  return {
    async send(provider, { body, correlationId, streaming, signal }): Promise<UpstreamReply> {
      const { pool, path } = poolOf(provider);
      try {
        const answer = await pool.request({
          method: 'POST',
          path,
          headers: {
            'content-type': 'application/json',
            accept: streaming ? 'text/event-stream' : 'application/json',
            [HEADERS.requestId]: correlationId,
            ...(provider.apiKey === null
              ? {}
              : { authorization: `Bearer ${provider.apiKey.reveal()}` }),
          },
          body,
          signal,
        });
        return {
          kind: 'answer',
          status: answer.statusCode,
          headers: answer.headers,
          body: pullBody(answer.body, signal),
        };
      } catch (error) {
        if (signal.aborted) return { kind: 'aborted' };
        return { kind: 'failed', failure: classifyFailure(error) };
      }
    },
    async close() {
      await Promise.all([...pools.values()].map(({ pool }) => pool.destroy()));
    },
  };
}

/** Codes of failures before the first byte of the request could have left (node:net, node:dns, undici). */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

function classifyFailure(error: unknown) {
  const { code, message } = error as { code?: string; message?: string };
  const text = code === undefined ? String(message) : `${code}`;
  const kind = code !== undefined && NOT_CONNECTED.has(code) ? 'not_connected' : 'broken';
  return { kind, message: text } as const;
}

type ReadableBody = Dispatcher.ResponseData['body'];

/** Reads a body chunk by chunk; nothing is read ahead beyond the stream's own small buffer. */
function pullBody(body: ReadableBody, signal: AbortSignal): UpstreamBody {
  let ended = false;
  let failure: string | null = null;
  let wake: (() => void) | null = null;
  const notify = () => {
    wake?.();
    wake = null;
  };
  body.on('readable', notify);
  body.on('end', () => {
    ended = true;
    notify();
  });
  body.on('error', (error: Error & { code?: string }) => {
    failure = error.code ?? error.message;
    notify();
  });
  body.on('close', () => {
    if (!ended && failure === null) failure = 'the connection closed early';
    notify();
  });

  async function next(): Promise<BodyChunk> {
    for (;;) {
      const bytes = body.read() as Buffer | null;
      if (bytes !== null) return { kind: 'chunk', bytes };
      if (ended) return { kind: 'end' };
      if (signal.aborted) return { kind: 'aborted' };
      if (failure !== null) return { kind: 'failed', message: failure };
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  return {
    next,
    cancel() {
      body.destroy();
    },
    discard() {
      void discardRest(next, () => body.destroy());
    },
  };
}

async function discardRest(next: () => Promise<BodyChunk>, destroy: () => void): Promise<void> {
  const timer = setTimeout(destroy, DISCARD_MS);
  let bytes = 0;
  for (;;) {
    const chunk = await next();
    if (chunk.kind !== 'chunk') break;
    bytes += chunk.bytes.length;
    if (bytes > DISCARD_BYTES_MAX) destroy();
  }
  clearTimeout(timer);
}
