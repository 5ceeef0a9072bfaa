/**
 * One request, from its first byte to its last satoshi. Every stage stands here in order, and all
 * branching between stages; the stages themselves decide (pure) or act (through ports).
 *
 *   parse ▸ claim ▸ recall ▸ route ▸ RESERVE ▸ attempt 1 … n ▸ answer ▸ bill ▸ SETTLE | RELEASE
 *
 * There is one path: streaming is a property of the answer, and the endpoint's dialect one of the
 * candidate. Who the caller is, `auth/` has found; what the wire looks like is `http/`.
 *
 * Where the money is: until RESERVE succeeds, with the agent. From there on it is held, and exactly
 * one of SETTLE and RELEASE is journaled before the caller sees the end of the answer, whatever
 * happens in between. If this process dies instead, `settle/recover.ts` does it from the journal.
 */
import { type Call, claimOf } from './call.ts';
import type { Billed, Claim, Claims } from './claim/claims.ts';
import type { AnswerOrder } from './dialect/dialect.ts';
import { type Refusal, refuse } from './errors.ts';
import type { ApiRequest } from './openai/api-request.ts';
import { PARSERS } from './openai/parse-request.ts';
import { reportedCost } from './openai/usage.ts';
import { type Facts, NO_FACTS, type Outcome } from './outcome.ts';
import type { ClientStream } from './ports.ts';
import type { Bill } from './pricing/bill.ts';
import type { Hold } from './reserve/hold.ts';
import { isHold } from './reserve/reserve.ts';
import type { Candidate, Choice } from './route/choose.ts';
import { STREAM_ENDS } from './route/failure.ts';
import type { Attempts, FirstAnswer } from './route/first-answer.ts';
import { headerOf } from './route/read-answer.ts';
import type { Routed } from './route/route.ts';
import { billDelivered, billUnanswered } from './settle/bill-answer.ts';
import type { Checkpoints } from './settle/checkpoints.ts';
import { type Relayed, relay } from './stream/relay.ts';
import { brokenStream, wireBill } from './stream/tail.ts';
import type { Prompt } from './tokens/prompt.ts';

/** The stages that need something from the outside, bound to it in `stages.ts`. */
export interface Stages {
  readonly claims: Claims;
  recall(request: ApiRequest, call: Call): ApiRequest | Refusal;
  route(request: ApiRequest, prompt: Prompt, call: Call): Routed;
  reserve(request: ApiRequest, choice: Choice, call: Call, claim: Claim): Promise<Hold | Refusal>;
  firstAnswer(request: ApiRequest, choice: Choice, hold: Hold, call: Call): Promise<Attempts>;
  readonly checkpoints: Checkpoints;
  remember(request: ApiRequest, call: Call, id: string, item: object): void;
  nowMs(): number;
}

/** A request whose money is held. */
interface Turn {
  readonly stages: Stages;
  readonly call: Call;
  readonly claim: Claim;
  readonly request: ApiRequest;
  readonly prompt: Prompt;
  readonly hold: Hold;
}

export async function serveRequest(stages: Stages, call: Call): Promise<Outcome> {
  const parsed = PARSERS[call.endpoint](call.body);
  if (!parsed.ok) {
    const { code, message, param } = parsed.error;
    return refused(refuse(code, message, { param }), NO_FACTS);
  }
  const { request } = parsed;
  const asked: Facts = {
    ...NO_FACTS,
    requestedModel: request.model,
    streaming: request.stream,
    choices: request.n,
  };

  const claimed = await stages.claims.take(claimOf(request, call));
  switch (claimed.kind) {
    case 'refused':
      return refused(claimed, asked);
    case 'replayed':
      return { kind: 'replayed', answer: claimed.answer, facts: asked };
    case 'mine':
      try {
        return await serveOnce(stages, call, claimed.claim, request, asked);
      } finally {
        claimed.claim.end();
      }
  }
}

async function serveOnce(
  stages: Stages,
  call: Call,
  claim: Claim,
  sent: ApiRequest,
  asked: Facts,
): Promise<Outcome> {
  const request = stages.recall(sent, call);
  if ('kind' in request) return refused(request, asked);
  const prompt = request.prompt();
  const { choice, ...routing } = stages.route(request, prompt, call);
  const routed: Facts = { ...asked, ...routing };
  if (choice.kind === 'refused') return refused(choice, routed);

  const qualifying: Facts = { ...routed, qualified: choice.qualified };

  const hold = await stages.reserve(request, choice, call, claim);
  if (!isHold(hold)) return refused(hold, { ...qualifying, candidate: choice.candidates[0] });
  const { reservationId, heldMsat, balanceMsat } = hold;
  const held: Facts = { ...qualifying, reservationId, heldMsat, balanceMsat };

  const turn: Turn = { stages, call, claim, request, prompt, hold };
  let dispatchedTo: Candidate | null = null;
  try {
    if (call.clientGone.aborted) {
      await hold.release('client_left_before_dispatch');
      return { kind: 'client_gone', facts: held };
    }
    dispatchedTo = choice.candidates[0];
    const { answer, failed } = await stages.firstAnswer(request, choice, hold, call);
    const facts: Facts = { ...held, failed, candidate: answer.candidate };
    return await finish(turn, answer, facts);
  } finally {
    // Only a fault of our own gets here with an open hold. The provider bills for what it was sent.
    if (!hold.ended) {
      if (dispatchedTo === null) await hold.release('fault_before_dispatch');
      else await settle(turn, dispatchedTo, billUnanswered(dispatchedTo, prompt, hold));
    }
  }
}

async function finish(turn: Turn, answer: FirstAnswer, facts: Facts): Promise<Outcome> {
  switch (answer.kind) {
    case 'nobody':
      await turn.hold.release('no_provider_answered');
      if (turn.call.clientGone.aborted) return { kind: 'client_gone', facts };
      return { ...refused(answer.refusal, facts), upstream: answer.headers };
    case 'abandoned':
      return finishAbandoned(turn, answer, facts);
    case 'whole':
      return finishWhole(turn, answer, facts);
    case 'streaming':
      return finishStream(turn, answer, facts);
  }
}

/** Not answered, and nobody waits any longer: the caller left, or the drain is over. */
async function finishAbandoned(
  turn: Turn,
  { candidate, sent }: FirstAnswer & { kind: 'abandoned' },
  facts: Facts,
): Promise<Outcome> {
  const bill = sent ? billUnanswered(candidate, turn.prompt, turn.hold) : null;
  if (bill === null) await turn.hold.release('not_sent');
  else await settle(turn, candidate, bill);
  const billed: Facts = { ...facts, bill };
  if (turn.call.clientGone.aborted) return { kind: 'client_gone', facts: billed };
  const message =
    'This core is shutting down before the answer came. A prompt that was sent is billed, as the provider bills it.';
  return refused(refuse('draining', message, { shouldRetry: !sent }), billed);
}

async function finishWhole(
  turn: Turn,
  answer: FirstAnswer & { kind: 'whole' },
  facts: Facts,
): Promise<Outcome> {
  const { stages, call, prompt, hold } = turn;
  const { candidate } = answer;
  const bill = billDelivered(candidate, prompt, answer.meter, hold);
  const shown = wireBill(candidate, bill, stages.nowMs() - call.receivedAtMs);
  const bytes = candidate.dialect.whole(answerOrder(turn), answer.bytes, shown);
  const contentType = headerOf(answer.headers, 'content-type');
  await settle(turn, candidate, bill, { bytes, contentType });
  const reported = reportedCost(answer.meter.usage);
  const billed: Facts = {
    ...facts,
    bill,
    reportedCost: reported,
    firstByteMs: stages.nowMs() - call.receivedAtMs,
  };
  if (call.clientGone.aborted) return { kind: 'client_gone', facts: billed };
  return { kind: 'answered', bytes, upstream: answer.headers, facts: billed };
}

async function finishStream(
  turn: Turn,
  answer: FirstAnswer & { kind: 'streaming' },
  facts: Facts,
): Promise<Outcome> {
  const { stages, call, prompt, hold } = turn;
  const { candidate, permit, stream } = answer;
  const writer = candidate.dialect.newWriter(answerOrder(turn));
  const begun: Facts = { ...facts, firstByteMs: stages.nowMs() - call.receivedAtMs };
  const checkpoints = stages.checkpoints.follow(hold);
  let client: ClientStream;
  let relayed: Relayed;
  try {
    client = call.openStream(answer.headers, begun);
    relayed = await relay({
      stream,
      client,
      writer,
      idleMs: candidate.provider.timeouts.idleMs,
      onDisconnect: candidate.provider.onDisconnect,
      onProgress: checkpoints.progress,
    });
    permit.done(STREAM_ENDS[relayed.end.kind]);
  } finally {
    permit.done({ heard: 'nothing' });
    checkpoints.end();
  }
  const bill = billDelivered(candidate, prompt, relayed.meter, hold);
  await settle(turn, candidate, bill);
  const billed: Facts = { ...begun, bill, reportedCost: reportedCost(relayed.meter.usage) };
  const shown = wireBill(candidate, bill, stages.nowMs() - call.receivedAtMs);
  const { wantsComment } = call;
  const isLeft = relayed.end.kind === 'client_gone';
  const rest = writer.end({ relayed, bill: shown, wantsComment });
  client.end(isLeft ? Buffer.alloc(0) : rest);
  switch (relayed.end.kind) {
    case 'whole':
      return { kind: 'streamed', facts: billed };
    case 'client_gone':
      return { kind: 'client_gone', facts: billed };
    case 'broken': {
      const { code, message } = brokenStream(relayed.end.message, relayed.end.timedOut);
      return { kind: 'broken', refusal: refuse(code, message), facts: billed };
    }
  }
}

/** The end of the hold is journaled when this resolves: only then does the caller see the end. */
async function settle(
  turn: Turn,
  candidate: Candidate,
  bill: Bill,
  answer: Billed['answer'] = null,
): Promise<void> {
  const { stages, call, claim, hold } = turn;
  const { tier } = candidate;
  const { name: provider } = candidate.provider;
  const { model } = candidate.offer;
  const latencyMs = stages.nowMs() - call.receivedAtMs;
  await Promise.all([
    hold.settle(bill, { provider, model, latencyMs }),
    claim.keep({ costMsat: bill.costMsat, provider, model, tier, answer }),
  ]);
}

const answerOrder = ({ stages, call, request }: Turn): AnswerOrder => ({
  request,
  id: call.answerId,
  createdSecs: Math.floor(stages.nowMs() / 1000),
  remember: (id, item) => stages.remember(request, call, id, item),
});

const refused = (refusal: Refusal, facts: Facts): Outcome & { kind: 'refused' } => ({
  kind: 'refused',
  refusal,
  upstream: {},
  facts,
});
