/**
 * Chats with the Vercel AI SDK as it comes: from the second turn on it refers to what was said by ids,
 * and the seller has only chat.
 */
import { join } from 'node:path';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, type ModelMessage, stepCountIs, streamText, tool } from 'ai';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { createLog, type RunningCore, startCore } from '../../packages/core/src/serve.ts';
import type { MockBehaviour } from '../../packages/core/src/upstream/mock/behaviour.ts';
import {
  type MockProvider,
  startMockProvider,
} from '../../packages/core/src/upstream/mock/server.ts';
import { config } from '../../packages/core/test/config/load-text.ts';
import {
  asAgent,
  asOperator,
  closeVaults,
  INTERNAL_TOKEN,
  openVault,
  type TestVault,
  temporaryFolder,
} from '../../packages/vault/test/support/vault.ts';
import { until } from '../support/process.ts';

interface Agent {
  readonly id: string;
  readonly token: string;
}

let vault: TestVault;
let core: RunningCore;
let providers: Record<'chatty' | 'native', MockProvider>;
let agent: Agent;
let start: () => Promise<RunningCore>;
/** What the seller of chat does next, in turn; then it answers as always. */
let next: Partial<MockBehaviour>[] = [];
/** What the SDK sent, as it was. */
let sent: string[] = [];

beforeAll(async () => {
  vault = await openVault();
  const vaultUrl = await vault.app.listen({ host: '127.0.0.1', port: 0 });
  providers = {
    chatty: await startMockProvider({ script: () => next.shift() }),
    native: await startMockProvider(),
  };
  const path = join(temporaryFolder(), 'core.db');
  start = () =>
    startCore(
      config(`
[server]
listen = "127.0.0.1:0"
[database]
path = "${path}"
[vault]
url = "${vaultUrl}"
internal_token = "${INTERNAL_TOKEN}"
[[providers]]
name = "chatty"
url = "${providers.chatty.url}"
models = ["gpt-4o"]
input_rate = 8000
output_rate = 8000
[[providers]]
name = "native"
url = "${providers.native.url}"
models = ["gpt-4.1"]
endpoints = ["responses"]
input_rate = 8000
output_rate = 8000
`),
      createLog('silent'),
    );
  core = await start();
  agent = await funded();
});
afterAll(async () => {
  await core.close();
  await providers.chatty.close();
  await providers.native.close();
  await closeVaults();
});

async function funded(): Promise<Agent> {
  const made = await asOperator(vault, 'POST', '/agents', { name: 'test', policy: {} });
  const { agent_id: id, token } = made.body as { agent_id: string; token: string };
  await asOperator(vault, 'POST', `/agents/${id}/deposit`, { amount_msat: 1_000_000_000 });
  return { id, token };
}

/** What the agent has when every hold has come to its end. */
async function settled(): Promise<number> {
  const balance = async () => (await asAgent(vault, agent.token, '/agents/me/balance')).body;
  await until(
    async () => (await balance()).held_msat === 0,
    10_000,
    () => 'funds are still held',
  );
  return (await balance()).balance_msat;
}

const LONG = 'The wind turns to the north-west by noon. '.repeat(300).trim();
/** Words and a call in one answer. */
const looksUp: Partial<MockBehaviour> = {
  steps: [
    { do: 'head', status: 200, headers: { 'content-type': 'application/json' } },
    {
      do: 'write',
      data: JSON.stringify({
        id: 'chatcmpl-1',
        object: 'chat.completion',
        created: 1,
        model: 'gpt-4o',
        choices: [
          {
            index: 0,
            message: {
              role: 'assistant',
              content: LONG,
              tool_calls: [
                {
                  id: 'call_1',
                  type: 'function',
                  function: { name: 'weather', arguments: '{"city":"Oslo"}' },
                },
              ],
            },
            finish_reason: 'tool_calls',
          },
        ],
      }),
    },
  ],
};

interface Turn {
  readonly messages: readonly ModelMessage[];
  readonly tokens: number;
}
const options = (messages: ModelMessage[], of = agent) => ({
  model: createOpenAI({
    baseURL: `${core.url}/v1`,
    apiKey: of.token,
    fetch(url, init) {
      sent.push(String(init!.body));
      return fetch(url, init);
    },
  })('gpt-4o'),
  messages,
  maxRetries: 0,
  maxOutputTokens: 2_999,
  tools: {
    weather: tool({ inputSchema: z.object({ city: z.string() }), execute: () => ({ celsius: 3 }) }),
  },
  stopWhen: stepCountIs(3),
});
async function generated(messages: ModelMessage[], of = agent): Promise<Turn> {
  const { responseMessages, totalUsage } = await generateText(options(messages, of));
  return { messages: responseMessages, tokens: totalUsage.totalTokens! };
}
async function streamed(messages: ModelMessage[]): Promise<Turn> {
  const errors: unknown[] = [];
  const stream = streamText({
    ...options(messages),
    onError: ({ error }) => void errors.push(error),
  });
  await stream.consumeStream();
  expect(errors).toEqual([]);
  const tokens = (await stream.totalUsage).totalTokens!;
  return { messages: await stream.responseMessages, tokens };
}

const user = (content: string): ModelMessage => ({ role: 'user', content });
const seenBy = (provider: keyof typeof providers) =>
  providers[provider].calls.at(-1)!.json as Record<string, Record<string, unknown>[]>;
const referencesIn = (body: string): string[] =>
  [...body.matchAll(/"type":"item_reference","id":"([^"]*)"/g)].map(([, id]) => id!);

/** As the SDK would, without it. */
async function post(body: object | string, headers: Record<string, string> = {}, of = agent) {
  const answer = await fetch(`${core.url}/v1/responses`, {
    method: 'POST',
    headers: { authorization: `Bearer ${of.token}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: answer.status, json: (await answer.json()) as Record<string, never> };
}
const byId = (id: string) => ({ type: 'item_reference', id });

it.each([
  ['generateText', generated],
  ['streamText', streamed],
])(
  '%s goes on after a step with words and a tool, and pays for all that is read',
  async (_name, ask) => {
    sent = [];
    next = [looksUp];
    const messages: ModelMessage[] = [user('How is Oslo?')];
    messages.push(...(await ask(messages)).messages, user('And tomorrow?'));
    const before = await settled();
    const from = sent.length;
    const { tokens } = await ask(messages);
    const paid = before - (await settled());

    expect(sent.slice(from).flatMap(referencesIn)).toHaveLength(2);
    const [first, assistant, result, last, asked] = seenBy('chatty').messages!;
    expect(first).toMatchObject({ role: 'user' });
    expect(assistant).toMatchObject({ role: 'assistant', content: LONG });
    expect(assistant!.tool_calls).toMatchObject([{ id: 'call_1', function: { name: 'weather' } }]);
    expect(result).toMatchObject({ role: 'tool', tool_call_id: 'call_1' });
    expect(last).toMatchObject({ role: 'assistant' });
    expect(last!.content).toContain('the result of a tool');
    expect(asked).toMatchObject({ role: 'user' });
    // More than the hold of a prompt without LONG would cover, and more than would be believed.
    expect(tokens).toBeGreaterThan(2_500);
    expect(paid).toBe(tokens * 8);
  },
);

it('goes on after a stream that was stopped', async () => {
  next = [{ faults: [{ kind: 'stall_mid_stream', afterChunks: 4 }] }];
  const stop = new AbortController();
  const stream = streamText({ ...options([user('Tell me all.')]), abortSignal: stop.signal });
  let id = '';
  let text = '';
  for await (const part of stream.stream) {
    if (part.type === 'text-start') id = part.providerMetadata!.openai!.itemId as string;
    if (part.type === 'text-delta') text += part.text;
    if (text !== '') stop.abort();
  }
  // The core has heard of it, and billed.
  await settled();
  const { status } = await post({
    model: 'gpt-4o',
    input: [byId(id), { role: 'user', content: 'Go on.' }],
  });
  expect(status).toBe(200);
  const [half] = seenBy('chatty').messages!;
  expect(half).toMatchObject({ role: 'assistant' });
  expect(half!.content).toContain(text.trim());
});

async function saidId(more: object = {}): Promise<string> {
  const { json } = await post({ model: 'gpt-4o', input: 'Hi', ...more });
  const [item] = json.output as unknown as { id: string }[];
  return item!.id;
}

it('brings the item itself to a seller that has the endpoint, and its own ids nowhere', async () => {
  const id = await saidId();
  const { status, json } = await post({ model: 'gpt-4.1', input: [byId(id)] });
  expect(status).toBe(200);
  const [item] = seenBy('native').input!;
  expect(item).toMatchObject({ type: 'message', role: 'assistant' });
  expect(item).not.toHaveProperty('id');
  const [theirs] = json.output as unknown as { id: string }[];
  expect((await post({ model: 'gpt-4.1', input: [byId(theirs!.id)] })).status).toBe(400);
});

it('remembers nothing for another agent, and nothing of store: false', async () => {
  const other = await funded();
  const [mine, unstored] = [await saidId(), await saidId({ store: false })];
  const ask = (id: string, of: Agent) => post({ model: 'gpt-4o', input: [byId(id)] }, {}, of);
  expect((await ask(mine, agent)).status).toBe(200);
  const refusals = [await ask(mine, other), await ask(unstored, agent), await ask('msg_1', agent)];
  expect(refusals[0]).toEqual(refusals[2]);
  expect(refusals[1]).toEqual(refusals[2]);
  expect(refusals[0]).toMatchObject({
    status: 400,
    json: { error: { code: 'unsupported_parameter', param: 'input[0]' } },
  });
});

it('says after a restart what to do, and gives again what a key has paid for', async () => {
  const messages: ModelMessage[] = [user('How is Oslo?')];
  messages.push(...(await generated(messages)).messages, user('And tomorrow?'));
  sent = [];
  await generated(messages);
  const [body] = sent as [string];
  const key = { 'idempotency-key': 'turn-2' };
  const paid = await post(body, key);
  expect(paid.status).toBe(200);

  await core.close();
  core = await start();
  const before = await settled();
  await expect(generated(messages)).rejects.toMatchObject({
    statusCode: 400,
    message: expect.stringMatching(/the core was restarted.*store: false/),
  });
  expect(await post(body, key)).toEqual(paid);
  expect(await settled()).toBe(before);
});
