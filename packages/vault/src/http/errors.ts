import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { HEADERS, type VaultErrorCode } from '@arbstr/shared';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Logger } from 'pino';
import { errorBody, isRefusal, type Refusal, refuse, statusOf, VaultError } from '../errors.ts';
import type { App } from './app-type.ts';

/** Fastify's own errors in our words. */
const FASTIFY_ERRORS: Readonly<Record<string, readonly [VaultErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['request_too_large', 'the body is too large'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_media_type',
    'send the body as content-type: application/json',
  ],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'content-length does not match the body'],
  FST_ERR_BAD_URL: ['invalid_request', 'the URL is malformed'],
  FST_ERR_MAX_PARAM_LENGTH: ['not_found', 'no such resource'],
};

/** Every error that leaves the vault has one shape, also those that no route has seen. */
export const errorAnswers = fp(
  async (app: App, { log }: { log: Logger }) => {
    app.setErrorHandler((error: FastifyError, request, reply) => {
      const refusal = refusalOf(error);
      if (refusal.refused === 'internal_error') {
        log.error({ err: error, request_id: request.id, url: request.url }, 'request failed');
      }
      sendRefusal(reply, refusal);
    });

    const routes: { url: string; method: string; pattern: RegExp }[] = [];
    app.addHook('onRoute', ({ url, method }) => {
      for (const name of [method].flat())
        routes.push({ url, method: name, pattern: asRegExp(url) });
    });
    app.setNotFoundHandler((request, reply) => {
      const path = request.url.split('?', 1)[0]!;
      const methods = routes.filter(({ pattern }) => pattern.test(path)).map((r) => r.method);
      if (methods.length === 0) {
        return sendRefusal(reply, refuse('not_found', `no route ${request.method} ${path}`));
      }
      reply.header('allow', [...new Set(methods)].join(', '));
      return sendRefusal(
        reply,
        refuse('method_not_allowed', `${request.method} is not for this route`),
      );
    });
  },
  { name: 'error-answers' },
);

/** Answers an outcome: the refusal with its status, or what `shape` makes of the success. */
export function sendOutcome<T extends object>(
  reply: FastifyReply,
  outcome: T | Refusal,
  shape: (success: T) => object = (success) => success,
): FastifyReply {
  if (isRefusal(outcome)) return sendRefusal(reply, outcome);
  markReplay(reply, outcome);
  return reply.send(shape(outcome as T));
}

/** Says of an answer that it is a stored one. */
export function markReplay(reply: FastifyReply, outcome: object): void {
  if ('replayed' in outcome) reply.header(HEADERS.replayed, 'true');
}

export function sendRefusal(reply: FastifyReply, refusal: Refusal): FastifyReply {
  const status = statusOf(refusal);
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (status === 503) reply.header('retry-after', '1');
  if (status === 429) reply.header('retry-after', String(refusal.details?.retry_after_secs ?? 1));
  return reply
    .code(status)
    .header('content-type', 'application/json; charset=utf-8')
    .serializer(JSON.stringify)
    .send(errorBody(refusal));
}

export function refusalOf(error: FastifyError | VaultError): Refusal {
  if (error instanceof VaultError) return error.refusal;
  const known = FASTIFY_ERRORS[error.code];
  if (known) return refuse(known[0], known[1]);
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return refuse('invalid_request', error.message);
  }
  return refuse('internal_error', 'the vault failed; whether money moved shows in the history');
}

/** A URL that the router refuses before any route. */
export function frameworkErrors(
  error: FastifyError,
  _request: FastifyRequest,
  reply: FastifyReply,
): void {
  sendRefusal(reply, refusalOf(error));
}

/** Bytes that are not HTTP, heads that are too large or too slow: there is no request to answer. */
export function clientErrorHandler(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return;
  const [status, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'the request headers are too large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'the request was sent too slowly']
        : [400, 'this is not an HTTP request'];
  const body = JSON.stringify(errorBody(refuse('invalid_request', message)));
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\n` +
      `content-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function asRegExp(url: string): RegExp {
  const path = url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[A-Za-z_]+/g, '[^/]+');
  return new RegExp(`^${path}$`);
}
