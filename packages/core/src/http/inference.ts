import { randomUUID } from 'node:crypto';
import { HEADERS } from '@arbstr/shared';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Call } from '../call.ts';
import { refuse } from '../errors.ts';
import { type Stages, serveRequest } from '../lifecycle.ts';
import { ENDPOINT_PATHS, ENDPOINTS, type Endpoint } from '../openai/api-request.ts';
import type { Outcome } from '../outcome.ts';
import { factHeaders, keptHeaders, upstreamHeaders } from './answer-headers.ts';
import { type AuthDeps, spender } from './authenticate.ts';
import { createClientStream, endWithin } from './client-stream.ts';
import { wishOf } from './cost.ts';
import { admit, DRAINING, type GateDeps } from './gate.ts';
import { writeRefusal } from './hardening.ts';

export interface InferenceRouteDeps extends AuthDeps, GateDeps {
  readonly stages: Stages;
  readonly clientStallMs: () => number;
  readonly free: boolean;
  readonly record: (outcome: Outcome, call: Call) => void;
}

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

  const serve = (endpoint: Endpoint, url: string): void => {
    app.post(url, {
      onRequest: (request, reply) => admit(deps, request, reply, () => spender(deps, request)),
      handler: (request, reply) => handle(endpoint, request, reply),
    });
  };
  for (const prefix of ['/v1', '']) {
    for (const endpoint of ENDPOINTS) serve(endpoint, prefix + ENDPOINT_PATHS[endpoint]);
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
