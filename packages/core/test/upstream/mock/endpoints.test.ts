/** The mock's other endpoints as the official SDK reads them, with no core in between. */
import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { countTokens } from '../../../src/tokens/count.ts';
import type { MockOptions } from '../../../src/upstream/mock/server.ts';
import { start } from './client.ts';

const ANSWER = 'Wide, and never still.';

async function clientOf(options: MockOptions = {}): Promise<OpenAI> {
  const { url } = await start(options);
  return new OpenAI({ baseURL: url, apiKey: 'sk-any', maxRetries: 0 });
}

describe('responses', () => {
  it('are the same whole and streamed', async () => {
    const client = await clientOf({ answer: ANSWER, reasoningTokens: 7 });
    const ask = { model: 'm', input: 'How is the sea?' };
    const whole = await client.responses.create(ask);
    const streamed = await client.responses.stream(ask).finalResponse();
    expect(whole.output_text).toBe(ANSWER);
    expect(whole.usage!.output_tokens).toBe(countTokens(ANSWER) + 7);
    expect(streamed.output_text).toBe(whole.output_text);
    expect(streamed.usage).toEqual(whole.usage);
  });

  it('call each tool that is asked for, then read the results', async () => {
    const client = await clientOf();
    const tools = ['tide', 'wind'].map((name) => ({
      type: 'function' as const,
      name,
      parameters: { type: 'object', properties: { at: { type: 'string' } } },
      strict: false,
    }));
    const ask = { model: 'm', tools, input: 'Ask tide and wind.' };
    const called = await client.responses.stream(ask).finalResponse();
    const calls = called.output.filter((item) => item.type === 'function_call');
    expect(calls.map(({ name }) => name)).toEqual(['tide', 'wind']);
    expect(JSON.parse(calls[0]!.arguments)).toEqual({ at: 'Ask tide and wind.' });
    const results = calls.map(({ call_id }) => ({
      type: 'function_call_output' as const,
      call_id,
      output: 'high',
    }));
    const answer = await client.responses.create({
      ...ask,
      input: [{ role: 'user', content: ask.input }, ...calls, ...results],
    });
    expect(answer.output_text).toContain('the result of a tool');
  });
});

it('completions answer every prompt n times', async () => {
  const client = await clientOf({ answer: ANSWER });
  const { choices, usage } = await client.completions.create({
    model: 'm',
    prompt: ['One', 'Two'],
    n: 2,
  });
  expect(choices.map(({ index, text }) => [index, text])).toEqual(
    [0, 1, 2, 3].map((index) => [index, ANSWER]),
  );
  expect(usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 4 * countTokens(ANSWER) });
});

it('embeddings are of length 1, the same for the same text, as floats and as base64', async () => {
  const client = await clientOf();
  const ask = { model: 'm', input: ['sea', 'sky', 'sea'], dimensions: 40 };
  const floats = await client.embeddings.create({ ...ask, encoding_format: 'float' });
  // The SDK asks for base64 by itself, and decodes it.
  const decoded = await client.embeddings.create(ask);
  const vectors = floats.data.map(({ embedding }) => embedding);
  expect(decoded.data.map(({ embedding }) => [...embedding])).toEqual(vectors);
  expect(vectors[0]).toEqual(vectors[2]);
  expect(vectors[0]).not.toEqual(vectors[1]);
  expect(vectors[0]).toHaveLength(40);
  expect(Math.hypot(...vectors[0]!)).toBeCloseTo(1, 5);
  expect(floats.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
});
