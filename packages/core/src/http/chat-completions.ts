import { HEADERS } from '@arbstr/shared';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { refuse } from '../errors.ts';
import { type Call, type Stages, serveChat } from '../lifecycle.ts';
import type { Outcome } from '../outcome.ts';
import { factHeaders, upstreamHeaders } from './answer-headers.ts';
import { type AuthDeps, spender } from './authenticate.ts';
import { createClientStream, endWithin } from './client-stream.ts';
import { writeRefusal } from './hardening.ts';

export interface ChatRouteDeps extends AuthDeps {
  readonly stages: Stages;
  readonly clientStallMs: number;
  readonly free: boolean;
  readonly activity: Activity;
  readonly record: (outcome: Outcome, call: Call) => void;
}

/** Requests of this process, for the bound on them and for the drain. */
export interface Activity {
  underWay: number;
  /** True once SIGTERM has come. */
  draining: boolean;
}

/** Requests under way at once in this process; each may hold a body of body_limit_mb. */
const CONCURRENT_REQUESTS_MAX = 1_000;

export function chatCompletionsRoute(app: FastifyInstance, deps: ChatRouteDeps): void {
  const { activity } = deps;

  async function handle(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const call = createCall(deps, request, reply);
    activity.underWay++;
    try {
      const outcome = await serveChat(deps.stages, call);
      deps.record(outcome, call);
      return answer(deps, reply, call, outcome);
    } finally {
      activity.underWay--;
    }
  }

  for (const url of ['/v1/chat/completions', '/chat/completions']) {
    app.post(url, {
      // Before the body is read, so that nobody's gigabyte is taken in for nothing.
      async onRequest(request, reply) {
        if (activity.draining) {
          return writeRefusal(
            reply,
            refuse(
              'draining',
              'This core is shutting down. Send the request again; another one answers.',
            ),
          );
        }
        if (activity.underWay >= CONCURRENT_REQUESTS_MAX) {
          return writeRefusal(
            reply,
            refuse('overloaded', 'Too many requests are under way here. Try again shortly.'),
          );
        }
        const policy = request.headers[HEADERS.policy];
        if (policy !== undefined) {
          return writeRefusal(
            reply,
            refuse(
              'unknown_policy',
              `There is no policy ${JSON.stringify(policy)}: none is configured. Leave ${HEADERS.policy} out.`,
              { param: HEADERS.policy },
            ),
          );
        }
        const caller = await spender(deps, request);
        if (caller.kind === 'refused') return writeRefusal(reply, caller);
        request.caller = caller;
        return undefined;
      },
      handler: handle,
    });
  }
}

function createCall(deps: ChatRouteDeps, request: FastifyRequest, reply: FastifyReply): Call {
  const gone = new AbortController();
  const receivedAtMs = request.receivedAtMs;
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  if (reply.raw.destroyed) gone.abort();
  return {
    caller: request.caller!,
    correlationId: request.id,
    body: Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0),
    receivedAtMs,
    wantsComment: request.headers[HEADERS.comment]?.toString().toLowerCase() !== 'off',
    clientGone: gone.signal,
    openStream(upstream, facts) {
      reply.hijack();
      return createClientStream(reply.raw, gone, deps.clientStallMs, {
        ...idHeaders(request.id),
        ...upstreamHeaders(upstream, deps.free),
        'cache-control': 'no-cache',
        ...factHeaders(facts, facts.firstByteMs ?? 0),
      });
    },
  };
}

function answer(
  deps: ChatRouteDeps,
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
    case 'refused':
    case 'answered': {
      const latencyMs = deps.stages.nowMs() - call.receivedAtMs;
      reply.headers({
        ...upstreamHeaders(outcome.upstream, deps.free),
        ...factHeaders(outcome.facts, latencyMs),
      });
      if (outcome.kind === 'refused') return writeRefusal(reply, outcome.refusal);
      endWithin(reply.raw, deps.clientStallMs);
      return reply.code(200).send(outcome.bytes);
    }
  }
}

export const idHeaders = (id: string): Record<string, string> => ({
  [HEADERS.requestId]: id,
  [HEADERS.arbstrRequestId]: id,
});
