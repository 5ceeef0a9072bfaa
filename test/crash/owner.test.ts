/** One owner per database, and an orderly end: SIGTERM loses no byte of what is under way. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MockBehaviour, MockCall } from '../../packages/core/src/upstream/mock/behaviour.ts';
import type { Step } from '../../packages/core/src/upstream/mock/step.ts';
import { freePort, type Service, startService, until } from '../support/process.ts';
import type { Agent } from '../support/stack.ts';
import { ask } from './support/ask.ts';
import { type Gated, promptCost, restartCore, revive, startGated } from './support/gated.ts';
import { callVault } from './support/vault-api.ts';
import { expectWhole, healthOf } from './support/whole.ts';

const DRAIN_SECS = 30;
/** More than the sockets between hold, so that the end of it is still in core. */
const LARGE_CHARS = 16 * 1024 * 1024;
const PIECES = 256;

let gated: Gated;
let agent: Agent;
let nth = 0;
let id: string;

beforeAll(async () => {
  gated = await startGated({ server: `drain_secs = ${DRAIN_SECS}` });
});
afterAll(() => gated?.stop());
beforeEach(async () => {
  await revive(gated);
  agent = await gated.stack.agent();
  gated.behave = () => ({ answer: 'Wide, and never still.' });
  id = `owner-${++nth}`;
});

const asked = (options: { stream?: boolean; id?: string } = {}) =>
  ask(gated.stack, { id, agent, ...options });

/** One line that says what to do, and exit code 1. */
async function expectRefusal(second: Service, words: RegExp): Promise<void> {
  expect(await second.exited).toEqual({ code: 1, signal: null });
  expect(second.output().trim().split('\n')).toHaveLength(1);
  expect(second.output()).toMatch(words);
}

const startSecondCore = async () =>
  startService({
    args: [
      'packages/core/src/main.ts',
      ...['serve', '-c', gated.stack.configPath, '-l', `127.0.0.1:${await freePort()}`],
    ],
    port: 0,
    dontWait: true,
  });

describe('a second process on the same database', () => {
  it('is refused as core, and takes nothing away from the first', async () => {
    gated.behave = () => ({ answer: ' word'.repeat(200), chunkDelayMs: 10 });
    const client = asked({ stream: true });
    await until(() => client.text !== '');
    await expectRefusal(await startSecondCore(), /another arbstr core owns/);
    expect(await client.ended).toBe('whole');
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
  });

  it('is refused as the vault, on another port too', async () => {
    const second = await startService({
      args: ['packages/vault/src/main.ts', 'serve'],
      env: { ...gated.stack.vaultEnv, PORT: String(await freePort()) },
      port: 0,
      dontWait: true,
    });
    await expectRefusal(second, /another vault is running/);
    const client = asked();
    expect(await client.ended).toBe('whole');
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
  });

  it('is refused while the first still drains', async () => {
    gated.behave = large;
    const client = asked({ stream: true });
    await until(() => client.status === 200);
    client.pause();
    const ended = gated.stack.core.kill('SIGTERM');
    await expectRefusal(await startSecondCore(), /another arbstr core owns/);
    client.resume();
    expect(await client.ended).toBe('whole');
    expect(await ended).toEqual({ code: 0, signal: null });
    await gated.stack.startCore();
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
  });
});

describe('SIGTERM of core', () => {
  it('lets a stream and an answer come to their end, and refuses new work', async () => {
    gated.behave = ({ json }) =>
      (json as { stream?: boolean }).stream === true
        ? { answer: ' word'.repeat(200), chunkDelayMs: 10 }
        : { answer: 'Wide, and never still.', latencyMs: 1_500 };
    const stream = asked({ stream: true, id: `${id}-stream` });
    const answer = asked({ id: `${id}-answer` });
    await until(() => stream.text !== '' && gated.callsOf(answer.id).length === 1);
    const ended = gated.stack.core.kill('SIGTERM');
    await until(async () => (await healthOf(gated.stack)).draining === true);
    const late = asked({ id: `${id}-late` });
    expect(await late.ended).toBe('whole');
    expect([late.status, late.errorCode]).toEqual([503, 'draining']);
    for (const client of [stream, answer]) {
      expect(await client.ended).toBe('whole');
      expect(client.complete).toBe(true);
    }
    expect(await ended).toEqual({ code: 0, signal: null });
    // Delivered before it ended: nothing is left for the next one.
    expect((await gated.stack.balance(agent)).held).toBe(0);
    await gated.stack.startCore();
    await expectWhole(gated.stack, [agent], {
      [stream.id]: stream.costMsat!,
      [answer.id]: answer.costMsat!,
      [late.id]: 0,
    });
  });

  it.each([true, false])(
    'lets a caller that reads slowly have its answer to the last byte (stream: %s)',
    async (stream) => {
      gated.behave = large;
      const client = asked({ stream });
      await until(() => client.status === 200);
      client.pause();
      const ended = gated.stack.core.kill('SIGTERM');
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      client.resume();
      expect(await client.ended).toBe('whole');
      expect(client.complete).toBe(true);
      expect(client.text).toHaveLength(LARGE_CHARS);
      expect(await ended).toEqual({ code: 0, signal: null });
      await gated.stack.startCore();
      await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
    },
  );

  it('cuts off what outlives the drain, says so, and bills what was delivered', async () => {
    const config = readFileSync(gated.stack.configPath, 'utf8');
    const hasty = config.replace(`drain_secs = ${DRAIN_SECS}`, 'drain_secs = 2');
    writeFileSync(gated.stack.configPath, hasty);
    await restartCore(gated);
    writeFileSync(gated.stack.configPath, config);
    gated.behave = () => ({ answer: ' word'.repeat(5_000), chunkDelayMs: 10 });
    const client = asked({ stream: true });
    await until(() => client.text !== '');
    expect(await gated.stack.core.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(await client.ended).toBe('whole');
    expect([client.complete, client.errorCode]).toEqual([false, 'provider_error']);
    await gated.stack.startCore();
    const words = client.text.length / ' word'.length;
    await expectWhole(gated.stack, [agent], {
      [id]: [promptCost() + words * 8, promptCost() + (words + 64) * 8],
    });
  });
});

describe('SIGTERM of the vault', () => {
  it('answers what it has taken in, and ends with 0', async () => {
    const trap = gated.gate.trap('request', '/internal/settle');
    const client = asked();
    const settle = await trap.next();
    trap.end();
    const settled = settle.pass();
    expect(await gated.stack.vault!.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    await settled;
    expect(await client.ended).toBe('whole');
    await gated.stack.startVault();
    await expectWhole(gated.stack, [agent], { [id]: client.costMsat! });
  });

  it('keeps its word under load', async () => {
    const storm = Array.from({ length: 40 }, (_, one) => asked({ id: `${id}-${one}` }));
    const ended = gated.stack.vault!.kill('SIGTERM');
    expect(await ended).toEqual({ code: 0, signal: null });
    await gated.stack.startVault();
    const bills: Record<string, number> = {};
    for (const client of storm) {
      expect(await client.ended).toBe('whole');
      bills[client.id] = client.status === 200 ? client.costMsat! : 0;
    }
    expect((await callVault(gated.stack, 'GET', '/reservations'))?.status).toBe(200);
    await expectWhole(gated.stack, [agent], bills);
  });
});

/** In large pieces; the mock's own answers are cut into tokens. */
function large({ json }: MockCall): Partial<MockBehaviour> {
  const usage = { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 };
  const content = 'a'.repeat(LARGE_CHARS / PIECES);
  const about = { id: 'x', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o' };
  const choice = { index: 0, finish_reason: null };
  if ((json as { stream?: boolean }).stream !== true) {
    const message = { role: 'assistant', content: content.repeat(PIECES) };
    const choices = [{ index: 0, finish_reason: 'stop', message }];
    return {
      steps: [
        { do: 'head', status: 200, headers: { 'content-type': 'application/json' } },
        { do: 'write', data: JSON.stringify({ ...about, choices, usage }) },
      ],
    };
  }
  const event = (data: object): Step => ({
    do: 'write',
    data: `data: ${JSON.stringify({ ...about, ...data })}\n\n`,
  });
  return {
    steps: [
      { do: 'head', status: 200, headers: { 'content-type': 'text/event-stream' } },
      ...Array(PIECES).fill(event({ choices: [{ ...choice, delta: { content } }] })),
      event({ choices: [{ ...choice, finish_reason: 'stop', delta: {} }] }),
      event({ choices: [], usage }),
      { do: 'write', data: 'data: [DONE]\n\n' },
    ],
  };
}
