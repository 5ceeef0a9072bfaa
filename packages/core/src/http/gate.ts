/**
 * Whose body is read: what the process has room for, and what each caller may ask for. Every route
 * that takes a body of a caller's stands behind it, whether it costs money or only work.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../auth/caller.ts';
import { type Refusal, refuse } from '../errors.ts';
import type { CallerLimits, Place } from './caller-limits.ts';
import { writeRefusal } from './hardening.ts';

export interface GateDeps {
  readonly bodyLimitBytes: number;
  readonly activity: Activity;
  readonly limits: CallerLimits;
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

export const DRAINING = refuse(
  'draining',
  'This core is shutting down. Send the request again; another one answers.',
);

/** Runs before the body is read, so that nobody's gigabyte is taken in for nothing. */
export async function admit(
  deps: GateDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  authenticate: () => Promise<Caller | Refusal>,
): Promise<FastifyReply | undefined> {
  const { activity, limits } = deps;
  if (activity.draining) return writeRefusal(reply, DRAINING);
  if (activity.open >= CONCURRENT_REQUESTS_MAX || activity.bodyBytes >= BODY_BYTES_MAX) {
    const message = 'Too many requests are under way here. Try again shortly.';
    return writeRefusal(reply, refuse('overloaded', message));
  }
  const caller = await authenticate();
  if (caller.kind === 'refused') return writeRefusal(reply, caller);
  const place = limits.enter(nameOf(caller, request));
  if (place.kind === 'refused') return writeRefusal(reply, place);
  request.caller = caller;
  count(deps, request, reply, place);
  return undefined;
}

/** Counts a request until its socket is done with it. */
function count(
  { activity, bodyLimitBytes }: GateDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  place: Place,
): void {
  // Gone already: no event would count it down again.
  if (reply.raw.destroyed) {
    place.leave();
    return;
  }
  request.place = place;
  const announced = Number(request.headers['content-length'] ?? bodyLimitBytes);
  const bytes = Math.min(announced, bodyLimitBytes);
  activity.open++;
  activity.bodyBytes += bytes;
  reply.raw.once('close', () => {
    activity.open--;
    activity.bodyBytes -= bytes;
    // A caller that leaves may leave its request running; then that gives the place back.
    if (!request.isServing) place.leave();
  });
}

/** Whose limits count: without any authentication the address stands for the caller. */
const nameOf = (caller: Caller, request: FastifyRequest): string =>
  caller.kind === 'agent' ? caller.agentId : caller.kind === 'operator' ? 'operator' : request.ip;
