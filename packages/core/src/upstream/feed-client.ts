import { Agent, type Dispatcher } from 'undici';
import type { ProviderConfig } from '../config/types.ts';
import type { FeedQuestion, FeedReply, FeedSource } from '../ports.ts';
import { retryAfterOf } from '../route/failure.ts';

/** OpenRouter's list, the longest there is, has 1 MB. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;
const HEADER_BYTES_MAX = 64 * 1024;
const KEEP_ALIVE_MS = 1_000;
/** Of one seller: its list, then its balance. */
const CONNECTIONS_MAX = 1;

/**
 * Asks sellers about themselves. The address is the provider's own origin and a path on it, so that a
 * key cannot reach anybody else, and redirects are not followed. What comes is bounded in bytes before
 * anybody looks at it; the time is the caller's (its signal).
 */
export function createFeedClient(): FeedSource {
  const agent = new Agent({
    connections: CONNECTIONS_MAX,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: HEADER_BYTES_MAX,
    // One reading may ask several questions; the next one is a minute away.
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  return {
    async ask(provider, question) {
      try {
        return await readAnswer(await agent.request(requestOf(provider, question)));
      } catch (error) {
        const { aborted } = question.signal;
        return failed(aborted ? 'did not answer in time' : `cannot be reached (${wordsOf(error)})`);
      }
    },
    close: () => agent.destroy(),
  };
}

function requestOf(
  { url, apiKey }: ProviderConfig,
  { path, body, signal }: FeedQuestion,
): Dispatcher.RequestOptions {
  return {
    origin: new URL(url).origin,
    path,
    method: body === undefined ? 'GET' : 'POST',
    signal,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    headers: {
      accept: 'application/json',
      // What is unpacked may be a thousand times what came.
      'accept-encoding': 'identity',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey.reveal()}` }),
    },
  };
}

async function readAnswer({
  statusCode,
  headers,
  body,
}: Dispatcher.ResponseData): Promise<FeedReply> {
  // Whoever leaves an answer unread gets an error from its end, of which nobody needs to know.
  body.on('error', () => {});
  if (statusCode !== 200) {
    body.destroy();
    const retryAfterMs = retryAfterOf(headers, Date.now());
    return statusCode >= 300 && statusCode < 400
      ? failed(`answered with a redirect (${statusCode}), which is not followed`)
      : { ...failed(`answered ${statusCode}`), status: statusCode, retryAfterMs };
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) {
      body.destroy();
      return failed(`answered with more than ${BODY_BYTES_MAX / 1024 / 1024} MiB`);
    }
    chunks.push(chunk);
  }
  return { kind: 'ok', bytes: Buffer.concat(chunks) };
}

const failed = (message: string): FeedReply & { kind: 'failed' } => ({
  kind: 'failed',
  message,
  status: null,
  retryAfterMs: null,
});

/** What node or undici call it: a code, without addresses. */
function wordsOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return String(code ?? name ?? 'unknown');
}
