import { randomUUID } from 'node:crypto';
import { HEADERS } from '@arbstr/shared';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../auth/caller.ts';
import { refuse } from '../errors.ts';
import { type Call, type Stages, serveRequest } from '../lifecycle.ts';
import type { Endpoint } from '../openai/api-request.ts';
import type { Outcome } from '../outcome.ts';
import { factHeaders, keptHeaders, upstreamHeaders } from './answer-headers.ts';
import { type AuthDeps, spender } from './authenticate.ts';
import type { CallerLimits, Place } from './caller-limits.ts';
import { createClientStream, endWithin } from './client-stream.ts';
import { wishOf } from './cost.ts';
import { writeRefusal } from './hardening.ts';

export interface InferenceRouteDeps extends AuthDeps {
  readonly stages: Stages;
  readonly clientStallMs: () => number;
  readonly bodyLimitBytes: number;
  readonly free: boolean;
  readonly activity: Activity;
  readonly limits: CallerLimits;
  readonly record: (outcome: Outcome, call: Call) => void;
}

/** Requests of this process, for the bounds on them and for the drain. */
export interface Activity {
  /** From the first look at the head to the last byte of the answer. */
  open: number;
  /** Lifecycles: a caller that has left may leave one behind, which the drain must wait for. */
  running: number;
  /** Of their bodies, as announced. */
  bodyBytes: number;
  /** True once SIGTERM has come. */
  draining: boolean;
  /** Usage reports that were not borne out, by provider, since the start. */
  readonly disbelieved: Map<string, number>;
}

/** Requests under way at once in this process, and the bytes of their bodies. */
const CONCURRENT_REQUESTS_MAX = 1_000;
const BODY_BYTES_MAX = 1024 * 1024 * 1024;

const DRAINING = refuse(
  'draining',
  'This core is shutting down. Send the request again; another one answers.',
);

const PATHS: Readonly<Record<Endpoint, string>> = {
  chat: '/chat/completions',
  responses: '/responses',
  completions: '/completions',
  embeddings: '/embeddings',
};

const NOT_STORED = refuse(
  'not_found',
  'No response is stored here: each may come from another seller. Keep the answer of POST /v1/responses, and send the conversation in its input with store: false.',
);

/** Everything that costs money goes through here: one gate, one lifecycle. */
export function inferenceRoutes(app: FastifyInstance, deps: InferenceRouteDeps): void {
  const { activity } = deps;

  async function handle(
    endpoint: Endpoint,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    if (activity.draining) return writeRefusal(reply, DRAINING);
    const call = createCall(deps, endpoint, request, reply);
    activity.running++;
    request.isServing = true;
    try {
      const outcome = await serveRequest(deps.stages, call);
      deps.record(outcome, call);
      return answer(deps, reply, call, outcome);
    } finally {
      activity.running--;
      request.place?.leave();
    }
  }

  /** Counts a request until its socket is done with it. */
  function count(request: FastifyRequest, reply: FastifyReply, place: Place): void {
    // Gone already: no event would count it down again.
    if (reply.raw.destroyed) {
      place.leave();
      return;
    }
    request.place = place;
    const announced = Number(request.headers['content-length'] ?? deps.bodyLimitBytes);
    const bytes = Math.min(announced, deps.bodyLimitBytes);
    activity.open++;
    activity.bodyBytes += bytes;
    reply.raw.once('close', () => {
      activity.open--;
      activity.bodyBytes -= bytes;
      // A caller that leaves may leave its request running; then that gives the place back.
      if (!request.isServing) place.leave();
    });
  }

  const serve = (endpoint: Endpoint, url: string): void => {
    app.post(url, {
      // Before the body is read, so that nobody's gigabyte is taken in for nothing.
      async onRequest(request, reply) {
        if (activity.draining) {
          return writeRefusal(reply, DRAINING);
        }
        if (activity.open >= CONCURRENT_REQUESTS_MAX || activity.bodyBytes >= BODY_BYTES_MAX) {
          return writeRefusal(
            reply,
            refuse('overloaded', 'Too many requests are under way here. Try again shortly.'),
          );
        }
        const caller = await spender(deps, request);
        if (caller.kind === 'refused') return writeRefusal(reply, caller);
        const place = deps.limits.enter(nameOf(caller, request));
        if (place.kind === 'refused') return writeRefusal(reply, place);
        request.caller = caller;
        count(request, reply, place);
        return undefined;
      },
      handler: (request, reply) => handle(endpoint, request, reply),
    });
  };
  for (const prefix of ['/v1', '']) {
    for (const [endpoint, path] of Object.entries(PATHS)) {
      serve(endpoint as Endpoint, prefix + path);
    }
    const stored = `${prefix}/responses/:id`;
    app.get(stored, (_request, reply) => writeRefusal(reply, NOT_STORED));
    app.get(`${stored}/input_items`, (_request, reply) => writeRefusal(reply, NOT_STORED));
    app.delete(stored, (_request, reply) => writeRefusal(reply, NOT_STORED));
    app.post(`${stored}/cancel`, (_request, reply) => writeRefusal(reply, NOT_STORED));
  }
}

function createCall(
  deps: InferenceRouteDeps,
  endpoint: Endpoint,
  request: FastifyRequest,
  reply: FastifyReply,
): Call {
  const gone = new AbortController();
  const receivedAtMs = request.receivedAtMs;
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  if (reply.raw.destroyed) gone.abort();
  return {
    caller: request.caller!,
    endpoint,
    correlationId: request.id,
    answerId: randomUUID().replaceAll('-', ''),
    body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    receivedAtMs,
    wish: wishOf(request),
    route: request.url.replace(/^\/v1(?=\/)|\?.*$/g, ''),
    idempotencyKey: textOf(request.headers[HEADERS.idempotencyKey]),
    sdkRetry: countOf(request.headers[HEADERS.sdkRetryCount]),
    wantsComment: request.headers[HEADERS.comment]?.toString().toLowerCase() !== 'off',
    clientGone: gone.signal,
    openStream(upstream, facts) {
      reply.hijack();
      return createClientStream(reply.raw, gone, deps.clientStallMs(), {
        ...idHeaders(request.id),
        ...upstreamHeaders(upstream, deps.free),
        'cache-control': 'no-cache',
        ...factHeaders(facts, facts.firstByteMs ?? 0),
      });
    },
  };
}

function answer(
  deps: InferenceRouteDeps,
  reply: FastifyReply,
  call: Call,
  outcome: Outcome,
): FastifyReply {
  switch (outcome.kind) {
    case 'streamed':
    case 'broken':
      return reply;
    case 'client_gone':
      if (!reply.sent) reply.hijack();
      reply.raw.destroy();
      return reply;
    case 'replayed': {
      const { answer: kept } = outcome;
      endWithin(reply.raw, deps.clientStallMs());
      return reply
        .code(200)
        .headers({ ...keptHeaders(kept), [HEADERS.latencyMs]: String(latencyOf(deps, call)) })
        .send(kept.bytes);
    }
    case 'refused':
    case 'answered': {
      reply.headers({
        ...upstreamHeaders(outcome.upstream, deps.free),
        ...factHeaders(outcome.facts, latencyOf(deps, call)),
      });
      if (outcome.kind === 'refused') return writeRefusal(reply, outcome.refusal);
      // It was parsed as an answer, whatever the provider called it; SDKs go by this header.
      if (!/json/i.test(String(reply.getHeader('content-type') ?? ''))) {
        reply.header('content-type', 'application/json');
      }
      endWithin(reply.raw, deps.clientStallMs());
      return reply.code(200).send(outcome.bytes);
    }
  }
}

/** Whose limits count: without any authentication the address stands for the caller. */
const nameOf = (caller: Caller, request: FastifyRequest): string =>
  caller.kind === 'agent' ? caller.agentId : caller.kind === 'operator' ? 'operator' : request.ip;

const latencyOf = (deps: InferenceRouteDeps, call: Call): number =>
  deps.stages.nowMs() - call.receivedAtMs;

const textOf = (header: string | string[] | undefined): string | null => header?.toString() ?? null;

function countOf(header: string | string[] | undefined): number | null {
  const text = textOf(header);
  return text !== null && /^\d{1,4}$/.test(text) ? Number(text) : null;
}

export const idHeaders = (id: string): Record<string, string> => ({
  [HEADERS.requestId]: id,
  [HEADERS.arbstrRequestId]: id,
});
