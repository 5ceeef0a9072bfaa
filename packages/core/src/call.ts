/** One caller's request, as the HTTP layer hands it in. */
import { type Caller, ownerOf } from './auth/caller.ts';
import type { ClaimOrder } from './claim/claims.ts';
import type { ApiRequest, Endpoint } from './openai/api-request.ts';
import type { Facts } from './outcome.ts';
import type { ClientStream, UpstreamHeaders } from './ports.ts';
import type { Wish } from './route/route.ts';

export interface Call {
  readonly caller: Caller;
  readonly endpoint: Endpoint;
  readonly correlationId: string;
  /** Unique; for what core itself must name in an answer. */
  readonly answerId: string;
  readonly body: Buffer;
  readonly receivedAtMs: number;
  /** The caller did not ask to leave the comment line out. */
  readonly wantsComment: boolean;
  /** What the caller says about the route. */
  readonly wish: Wish;
  /** Path without the `/v1`. */
  readonly route: string;
  readonly idempotencyKey: string | null;
  /** How often an SDK has sent it before; null where no SDK says so. */
  readonly sdkRetry: number | null;
  readonly clientGone: AbortSignal;
  /** Sends status and headers of a stream; from here on there is no other answer. */
  openStream(upstream: UpstreamHeaders, facts: Facts): ClientStream;
}

/** As it is claimed: by the caller's own bytes, whatever is made of them later. */
export const claimOf = (request: ApiRequest, call: Call): ClaimOrder => ({
  owner: ownerOf(call.caller),
  key: call.idempotencyKey,
  sdkRetry: call.sdkRetry,
  route: call.route,
  body: call.body,
  streaming: request.stream,
  clientGone: call.clientGone,
});
