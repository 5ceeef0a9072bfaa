/**
 * The Vercel AI SDK and OpenAI's Agents SDK, both of which call /v1/responses unless told otherwise,
 * over a billed core: once where a seller has that endpoint, and once where it has only chat.
 */
import { createOpenAI } from '@ai-sdk/openai';
import { OpenAIProvider, Runner, Agent as SdkAgent, tool as sdkTool } from '@openai/agents';
import { embedMany, generateObject, generateText, stepCountIs, streamText, tool } from 'ai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Agent, type Stack, settled, startStack } from '../support/stack.ts';

let stack: Stack;
let agent: Agent;

beforeAll(async () => {
  stack = await startStack({
    providers: [
      { name: 'chatty', models: ['gpt-4o'], rate: 8000 },
      {
        name: 'native',
        models: ['gpt-4.1'],
        rate: 8000,
        toml: 'endpoints = ["responses"]',
      },
      {
        name: 'vectors',
        models: ['text-embedding-3-small'],
        rate: 1000,
        toml: 'endpoints = ["embeddings"]',
      },
    ],
  });
  agent = await stack.agent();
});
afterAll(() => stack.stop());

const QUESTION = 'What is the weather? Use the tool.';
const city = z.object({ city: z.string() });
const bodies = (provider: string, from: number): Record<string, unknown>[] =>
  stack.providers[provider]!.calls.slice(from).map(({ json }) => json as Record<string, unknown>);

/** What the agent paid while `work` ran; every reservation has come to its end. */
async function paid<T>(work: () => Promise<T>): Promise<{ result: T; msats: number }> {
  const before = await settled(stack, agent);
  const result = await work();
  return { result, msats: before - (await settled(stack, agent)) };
}

describe.each([
  ['gpt-4o', 'chatty', '/v1/chat/completions'],
  ['gpt-4.1', 'native', '/v1/responses'],
])('%s at %s', (model, provider, path) => {
  const vercel = () =>
    createOpenAI({ baseURL: `${stack.core.url}/v1`, apiKey: agent.token })(model);

  it('answers generateText after a loop over its tools', async () => {
    const from = stack.providers[provider]!.callCount;
    const asked: string[] = [];
    const { result, msats } = await paid(() =>
      generateText({
        model: vercel(),
        prompt: QUESTION,
        system: 'Be brief.',
        tools: {
          weather: tool({
            description: 'Weather of a city',
            inputSchema: city,
            execute(input) {
              asked.push(input.city);
              return { celsius: 21 };
            },
          }),
        },
        stopWhen: stepCountIs(3),
      }),
    );
    expect(asked).toEqual([QUESTION]);
    expect(result.steps).toHaveLength(2);
    expect(result.text).toContain('the result of a tool');
    expect(result.finishReason).toBe('stop');
    expect(msats).toBe(result.totalUsage.totalTokens! * 8);
    const calls = stack.providers[provider]!.calls.slice(from);
    expect(calls.map((call) => call.path)).toEqual([path, path]);
    expect(JSON.stringify(calls[1]!.json)).toContain('{\\"celsius\\":21}');
  });

  it('streams text piece by piece, with its usage', async () => {
    const { result, msats } = await paid(async () => {
      const stream = streamText({ model: vercel(), prompt: 'Say hello.' });
      const pieces: string[] = [];
      for await (const piece of stream.textStream) pieces.push(piece);
      return {
        pieces,
        text: await stream.text,
        usage: await stream.usage,
        end: await stream.finishReason,
      };
    });
    expect(result.pieces.length).toBeGreaterThan(5);
    expect(result.text).toContain('It heard "Say hello."');
    expect(result.end).toBe('stop');
    expect(msats).toBe(result.usage.totalTokens! * 8);
  });

  it('streams a loop over tools', async () => {
    const stream = streamText({
      model: vercel(),
      prompt: QUESTION,
      tools: { weather: tool({ inputSchema: city, execute: () => 'rain' }) },
      stopWhen: stepCountIs(3),
    });
    await stream.consumeStream();
    expect((await stream.steps).map(({ toolCalls }) => toolCalls.length)).toEqual([1, 0]);
    expect(await stream.text).toContain('the result of a tool');
  });

  it('answers generateObject in the shape that was asked for', async () => {
    const { object } = await generateObject({
      model: vercel(),
      schema: z.object({ name: z.string(), sunny: z.boolean() }),
      prompt: 'Describe the day.',
    });
    expect(object.sunny).toBe(true);
    expect(object.name).toContain('Describe the day.');
  });

  const agents = () => {
    const modelProvider = new OpenAIProvider({
      baseURL: `${stack.core.url}/v1`,
      apiKey: agent.token,
    });
    const asked: string[] = [];
    const assistant = new SdkAgent({
      name: 'assistant',
      instructions: 'Be brief.',
      model,
      tools: [
        sdkTool({
          name: 'weather',
          description: 'Weather of a city',
          parameters: city,
          async execute(input) {
            asked.push(input.city);
            return 'snow';
          },
        }),
      ],
    });
    const runner = new Runner({ modelProvider, tracingDisabled: true });
    return { runner, assistant, asked };
  };

  it('answers a run of the Agents SDK after a loop over its tools', async () => {
    const { runner, assistant, asked } = agents();
    const from = stack.providers[provider]!.callCount;
    const { result, msats } = await paid(() => runner.run(assistant, QUESTION));
    expect(asked).toEqual([QUESTION]);
    expect(result.finalOutput).toContain('the result of a tool');
    expect(msats).toBe(result.runContext.usage.totalTokens * 8);
    expect(JSON.stringify(bodies(provider, from)[1])).toContain('snow');
  });

  it('streams a run of the Agents SDK', async () => {
    const { runner, assistant, asked } = agents();
    const run = await runner.run(assistant, QUESTION, { stream: true });
    let text = '';
    for await (const piece of run.toTextStream()) text += piece;
    await run.completed;
    expect(run.error).toBeNull();
    expect(asked).toEqual([QUESTION]);
    expect(text).toContain('the result of a tool');
    expect(run.finalOutput).toBe(text);
  });
});

it('embeds many texts with the Vercel AI SDK', async () => {
  const openai = createOpenAI({ baseURL: `${stack.core.url}/v1`, apiKey: agent.token });
  const { result, msats } = await paid(() =>
    embedMany({
      model: openai.embedding('text-embedding-3-small'),
      values: ['wide', 'never still', 'wide'],
    }),
  );
  expect(result.embeddings).toHaveLength(3);
  expect(result.embeddings[0]).toEqual(result.embeddings[2]);
  expect(result.embeddings[0]).not.toEqual(result.embeddings[1]);
  expect(msats).toBe(result.usage.tokens);
});
