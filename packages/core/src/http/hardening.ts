import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { HEADERS } from '@arbstr/shared';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { type Refusal, refusalBody, refuse } from '../errors.ts';

/** Node's own limits, spelled out: each ends a client that would otherwise hold a socket for ever. */
export const SERVER_LIMITS = {
  /** Between two requests; longer than the usual client pool keeps a socket, so that it closes first. */
  keepAliveTimeoutMs: 72_000,
  /** Slowloris: the header block must be there. */
  headersTimeoutMs: 20_000,
  /** The whole request, body included: 20 MiB in this time needs 1.4 Mbit/s. */
  requestTimeoutMs: 120_000,
  connectionsMax: 10_000,
  checkIntervalMs: 5_000,
} as const;

export function writeRefusal(reply: FastifyReply, refusal: Refusal): FastifyReply {
  if (refusal.retryAfterSecs !== null) reply.header('retry-after', String(refusal.retryAfterSecs));
  // What was refused before it became a call has no facts, but it has taken its time.
  if (!reply.hasHeader(HEADERS.latencyMs)) {
    reply.header(HEADERS.latencyMs, String(Math.round(reply.elapsedTime)));
  }
  return reply
    .code(refusal.status)
    .header(HEADERS.shouldRetry, String(refusal.shouldRetry))
    .header('content-type', 'application/json; charset=utf-8')
    .send(JSON.stringify(refusalBody(refusal)));
}

/** Fastify's own errors and our faults, in the contract's shape. */
export function refusalOfError(error: FastifyError, bodyLimitBytes: number): Refusal {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return refuse(
        'request_too_large',
        `The request body is larger than ${bodyLimitBytes} bytes (server.body_limit_mb). Send less, for example smaller images.`,
      );
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return refuse('unsupported_media_type', 'Send the body as application/json.');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return refuse('invalid_json', 'The request body is empty or cut off. Send one JSON object.');
    case 'FST_ERR_BAD_URL':
      return refuse('invalid_request', 'The URL is malformed.');
    default:
      break;
  }
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) return refuse('invalid_request', error.message);
  return refuse(
    'internal_error',
    'arbstr failed on this request. If it was dispatched, it is billed as the log says; look for this request id there.',
  );
}

export function notFound(request: FastifyRequest): Refusal {
  return refuse(
    'not_found',
    `There is no ${request.method} ${request.url.split('?')[0]?.slice(0, 200)}. The OpenAI routes are under /v1; see the README for the others.`,
  );
}

/** Bytes that are no HTTP request never reach Fastify: the answer is written by hand. */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const timedOut = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = tooLarge ? 431 : timedOut ? 408 : 400;
  const message = tooLarge
    ? 'The request headers are too large.'
    : timedOut
      ? 'The request did not arrive in time.'
      : 'This is not a valid HTTP request.';
  const body = JSON.stringify(refusalBody(refuse('invalid_request', message)));
  const id = randomUUID();
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n${HEADERS.requestId}: ${id}\r\n${HEADERS.arbstrRequestId}: ${id}\r\n${HEADERS.shouldRetry}: false\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
