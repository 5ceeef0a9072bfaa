/** The rounds of one request over a scripted upstream: order, bounds, losses, and who gives up when. */
import { msat } from '@arbstr/shared';
import { describe, expect, it } from 'vitest';
import { TIMEOUTS_DEFAULT } from '../../src/config/types.ts';
import { CHAT } from '../../src/dialect/chat.ts';
import { parseChatRequest } from '../../src/openai/chat-request.ts';
import type { DispatchSnapshot, Upstream, UpstreamBody, UpstreamReply } from '../../src/ports.ts';
import { freeHold } from '../../src/reserve/hold.ts';
import { createBreakers } from '../../src/route/breaker/registry.ts';
import { createLossBudget, createRetryBudget, LOSSES } from '../../src/route/budget.ts';
import type { Candidate, Choice } from '../../src/route/choose.ts';
import { firstAnswer } from '../../src/route/first-answer.ts';

const NOW = 1_000_000;
const RATES = {
  inputMsatPerMtok: 1_000_000,
  outputMsatPerMtok: 1_000_000,
  cachedInputMsatPerMtok: null,
  baseFeeMsat: msat(7),
};

function bodyOf(text: string): UpstreamBody {
  let sent = false;
  return {
    async next() {
      if (sent) return { kind: 'end' };
      sent = true;
      return { kind: 'chunk', bytes: Buffer.from(text) };
    },
    cancel() {},
    discard() {},
  };
}
const answer = (status: number, json: object, headers = {}): UpstreamReply => ({
  kind: 'answer',
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: bodyOf(JSON.stringify(json)),
});
const well = () =>
  answer(200, { choices: [{ message: { content: 'Well.' }, finish_reason: 'stop' }] });
const refuses =
  (status: number, error: object = { message: 'no' }, headers = {}) =>
  () =>
    answer(status, { error }, headers);
const breaks = (): UpstreamReply => ({
  kind: 'failed',
  failure: { kind: 'broken', message: 'ECONNRESET' },
});
const unconnected = (): UpstreamReply => ({
  kind: 'failed',
  failure: { kind: 'not_connected', message: 'ECONNREFUSED' },
});

type Reply = () => UpstreamReply;

/** `replies`: of each provider in turn, the last one stays; `alpha/m2` is the model m2 at alpha. */
function setUp(replies: Record<string, readonly Reply[]>, windows: Record<string, number> = {}) {
  const asked: string[] = [];
  const upstream: Upstream = {
    async send({ name }) {
      const nth = asked.filter((earlier) => earlier === name).length;
      asked.push(name);
      const own = Object.entries(replies).find(([key]) => key.split('/')[0] === name)![1];
      return own[Math.min(nth, own.length - 1)]!();
    },
    async retain() {},
    async close() {},
  };
  const nowMs = () => NOW;
  const deps = {
    upstream,
    nowMs,
    breakers: createBreakers(
      { failures: 3, openMs: 30_000, credentialsMs: 1, paymentMs: 1, probeMs: 1 },
      nowMs,
    ),
    retries: createRetryBudget(nowMs),
    losses: createLossBudget(nowMs),
    limits: {
      maxAttempts: 4,
      backoffMs: 1,
      backoffMsMax: 2,
      pauseMsMax: 60_000,
      rescueBytesMax: 1_000,
    },
    random: () => 0,
  };
  const candidates = Object.keys(replies).map((key, nth) => {
    const [name, seat = 'm'] = key.split('/');
    return {
      provider: {
        name,
        url: 'http://x',
        apiKey: null,
        maxConcurrency: 9,
        timeouts: TIMEOUTS_DEFAULT,
      },
      offer: {
        model: seat.split(' ')[0],
        rates: RATES,
        providerRates: RATES,
        contextWindow: windows[key] ?? null,
      },
      dialect: CHAT,
      seat,
      outputBound: null,
      sendBoundAs: null,
      estimatedInputTokens: 100 * (nth + 1),
    } as unknown as Candidate;
  });
  const gone = new AbortController();
  const parsed = parseChatRequest(
    Buffer.from(JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Hi' }] })),
  );
  if (!parsed.ok) throw new Error(parsed.error.message);
  const { request } = parsed;
  const choice = { candidates, rescue: 'off' } as unknown as Choice;
  const dispatched: [string, number][] = [];
  const hold = {
    ...freeHold(),
    dispatched: ({ provider }: DispatchSnapshot, tokens: number) => {
      dispatched.push([provider, tokens]);
    },
  };
  const run = () =>
    firstAnswer(deps, {
      request,
      choice,
      hold,
      agentId: 'agent',
      correlationId: 'c',
      shutdown: new AbortController().signal,
      clientGone: gone.signal,
    });
  return { asked, deps, dispatched, gone, run };
}

it('journals of each dispatch what the prompt is to that candidate', async () => {
  const { dispatched, run } = setUp({ alpha: [refuses(500)], beta: [well] });
  await run();
  expect(dispatched).toEqual([
    ['alpha', 100],
    ['beta', 200],
  ]);
});

it('lets a model rest under its seat, and no other seat of it', async () => {
  const { deps, run } = setUp({ 'alpha/m (embeddings)': [refuses(404)] });
  for (let i = 0; i < 3; i++) await run();
  expect(deps.breakers.allows('alpha', 'm (embeddings)')).toBe(false);
  expect(deps.breakers.allows('alpha', 'm')).toBe(true);
});

describe('rounds', () => {
  it('asks each candidate once before any twice', async () => {
    const { asked, run } = setUp({
      alpha: [refuses(500), well],
      beta: [refuses(502)],
    });
    const { answer, failed } = await run();
    expect(asked).toEqual(['alpha', 'beta', 'alpha']);
    expect(answer).toMatchObject({ kind: 'whole', candidate: { provider: { name: 'alpha' } } });
    expect(failed.map(({ provider }) => provider)).toEqual(['alpha', 'beta']);
  });

  it('leaves out of later rounds whose failure stays', async () => {
    const { asked, run } = setUp({ alpha: [refuses(401)], beta: [refuses(500), well] });
    expect((await run()).answer.kind).toBe('whole');
    expect(asked).toEqual(['alpha', 'beta', 'beta']);
  });

  it('never exceeds max_attempts, whatever the number of candidates', async () => {
    const fails = [refuses(503)];
    const { asked, run } = setUp({ a: fails, b: fails, c: fails, d: fails, e: fails });
    await run();
    expect(asked).toEqual(['a', 'b', 'c', 'd']);
    const two = setUp({ a: fails, b: fails, c: fails });
    await two.run();
    expect(two.asked).toEqual(['a', 'b', 'c', 'a']);
  });

  it('ends where the process has no retries to spare; falling back goes on', async () => {
    const { asked, deps, run } = setUp({ alpha: [refuses(500)], beta: [refuses(500)] });
    while (deps.retries.spend());
    expect((await run()).answer.kind).toBe('nobody');
    expect(asked).toEqual(['alpha', 'beta']);
  });

  it('ends with the caller, also in the middle of a wait', async () => {
    const { asked, deps, gone, run } = setUp({ alpha: [refuses(500)] });
    const waiting = firstAnswerOf(run, () => setTimeout(() => gone.abort(), 20));
    Object.assign(deps.limits, { backoffMs: 60_000, backoffMsMax: 60_000 });
    expect((await waiting).answer.kind).toBe('nobody');
    expect(asked).toEqual(['alpha']);
  });

  it('says nobody was asked where every breaker refuses', async () => {
    const { asked, deps, run } = setUp({ alpha: [unconnected] });
    for (let i = 0; i < 3; i++) await run();
    asked.length = 0;
    expect(deps.breakers.stateOf('alpha')).toBe('open');
    expect((await run()).answer).toMatchObject({ kind: 'nobody', refusal: { code: 'overloaded' } });
    expect(asked).toEqual([]);
  });
});

const firstAnswerOf = <T>(run: () => Promise<T>, meanwhile: () => void): Promise<T> => {
  const running = Promise.resolve().then(run);
  meanwhile();
  return running;
};

it('counts one request once against a provider, whichever of its models it asked for', async () => {
  const { asked, deps, run } = setUp({ alpha: [refuses(500)], 'alpha/m2': [refuses(500)] });
  for (let i = 0; i < 2; i++) await run();
  expect(asked).toHaveLength(8);
  expect(deps.breakers.stateOf('alpha')).toBe('closed');
  await run();
  expect(deps.breakers.stateOf('alpha')).toBe('open');
});

it('counts a missing model once, and each model for itself', async () => {
  const { deps, run } = setUp({ alpha: [refuses(404)], 'alpha/m2': [refuses(404)] });
  for (let i = 0; i < 3; i++) await run();
  expect(deps.breakers.modelsOf('alpha')).toEqual({ m: 'open', m2: 'open' });
});

describe('a prompt that is too long', () => {
  const tooLong = refuses(400, { code: 'context_length_exceeded', message: 'Too long for me.' });

  it('passes over candidates that are known to take no more', async () => {
    const { asked, deps, run } = setUp(
      { small: [tooLong], same: [well], larger: [well] },
      { small: 8_000, same: 8_000, larger: 32_000 },
    );
    const { answer } = await run();
    expect(asked).toEqual(['small', 'larger']);
    expect(answer.kind).toBe('whole');
    expect(deps.breakers.stateOf('small')).toBe('closed');
  });

  it('is tried where nobody knows how much a candidate takes', async () => {
    const { asked, run } = setUp(
      { small: [tooLong], unknown: [tooLong], larger: [well] },
      { small: 8_000, larger: 32_000 },
    );
    expect((await run()).answer.kind).toBe('whole');
    expect(asked).toEqual(['small', 'unknown', 'larger']);
  });

  it('is told in its provider’s words where nobody takes more', async () => {
    const { asked, run } = setUp({ small: [tooLong], other: [tooLong] });
    const { answer } = await run();
    expect(asked).toEqual(['small', 'other']);
    expect(answer).toMatchObject({
      kind: 'nobody',
      refusal: {
        status: 400,
        code: 'context_length_exceeded',
        message: 'Too long for me.',
        shouldRetry: false,
      },
    });
  });
});

describe('what failed attempts lose', () => {
  it('is the prompt at the provider’s rates, where it may charge for it', async () => {
    const { run } = setUp({ alpha: [breaks], beta: [refuses(401)], gamma: [unconnected, well] });
    const { failed } = await run();
    expect(failed.map(({ provider, lostMsat }) => [provider, lostMsat])).toEqual([
      ['alpha', 107],
      ['beta', 0],
      ['gamma', 0],
    ]);
  });

  it('is bounded per agent: then nothing is sent for it', async () => {
    const { asked, deps, run } = setUp({ alpha: [breaks], beta: [well] });
    for (let i = 1; i < LOSSES.capacity; i++) deps.losses.lose('agent');
    // The last one that it may lose, and no second candidate after it.
    expect((await run()).answer).toMatchObject({
      kind: 'nobody',
      refusal: { code: 'provider_error' },
    });
    expect(asked).toEqual(['alpha']);
    expect((await run()).answer).toMatchObject({
      kind: 'nobody',
      refusal: { status: 429, code: 'rate_limited', retryAfterSecs: 2, shouldRetry: true },
    });
    expect(asked).toEqual(['alpha']);
  });
});
