import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COUNTED_UNITS_MAX, countTokens } from '../../src/tokens/count.ts';
import { estimateTokens } from '../../src/tokens/estimate.ts';
import {
  countPrompt as countPromptOf,
  estimatePrompt as estimatePromptOf,
  IMAGE_TOKENS_DEFAULT,
  promptFloor as promptFloorOf,
  promptOf,
} from '../../src/tokens/prompt.ts';

const countPrompt = (body: unknown, imageTokens?: number) =>
  countPromptOf(promptOf(body), imageTokens);
const estimatePrompt = (body: unknown) => estimatePromptOf(promptOf(body));
const promptFloor = (body: unknown, imageTokens?: number) =>
  promptFloorOf(promptOf(body), imageTokens);

import { SAMPLES } from './samples.ts';

const user = (content: unknown) => ({ messages: [{ role: 'user', content }] });
/** 3 around the message, 1 for its role, 3 that begin the answer. */
const AROUND_ONE_MESSAGE = 7;

describe('countPrompt', () => {
  it('counts a message as its text, its role and what stands around it', () => {
    expect(countPrompt(user('hello world'))).toBe(2 + AROUND_ONE_MESSAGE);
  });

  // OpenAI cookbook, "How to count tokens with tiktoken", example_messages: 124 with gpt-4o, of
  // which four are for the four names; those we do not add.
  it('agrees with the example of the cookbook', () => {
    const example = (name: string, content: string) => ({ role: 'system', name, content });
    const messages = [
      {
        role: 'system',
        content:
          'You are a helpful, pattern-following assistant that translates corporate jargon into plain English.',
      },
      example('example_user', 'New synergies will help drive top-line growth.'),
      example('example_assistant', 'Things working well together will increase revenue.'),
      example(
        'example_user',
        "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
      ),
      example('example_assistant', "Let's talk later when we're less busy about how to do better."),
      {
        role: 'user',
        content:
          "This late pivot means we don't have time to boil the ocean for the client deliverable.",
      },
    ];
    expect(countPrompt({ messages })).toBe(124 - 4);
  });

  it('reads the text of parts and skips what is null', () => {
    const parts = [{ type: 'text', text: 'hello' }, { type: 'text', text: ' world' }, null];
    expect(promptOf(user(parts)).texts).toEqual(['user', 'hello', ' world']);
    expect(countPrompt(user(null))).toBe(AROUND_ONE_MESSAGE);
  });

  it('reads tool calls, whose message has no content', () => {
    const call = { name: 'get_weather', arguments: '{"city":"Graz"}' };
    const body = {
      messages: [
        { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', function: call }] },
        { role: 'assistant', content: null, function_call: call },
        { role: 'tool', tool_call_id: 'call_1', content: '21 °C' },
      ],
    };
    expect(promptOf(body).texts).toEqual([
      ...['assistant', 'get_weather', '{"city":"Graz"}'],
      ...['assistant', 'get_weather', '{"city":"Graz"}'],
      ...['tool', '21 °C'],
    ]);
  });

  it('reads arguments that are an object as their JSON', () => {
    const call = { name: 'get_weather', arguments: { city: 'Graz' } };
    const body = { messages: [{ role: 'assistant', tool_calls: [{ function: call }] }] };
    expect(promptOf(body).texts).toEqual(['assistant', 'get_weather', '{"city":"Graz"}']);
  });

  it('reads tools, functions, a forced choice and the schema of the answer as their JSON', () => {
    const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];
    const functions = [{ name: 'g' }];
    const schema = { name: 'answer', schema: { type: 'string' } };
    const choice = { type: 'function', function: { name: 'f' } };
    const body = {
      ...user('hi'),
      tools,
      functions,
      response_format: { type: 'json_schema', json_schema: schema },
      tool_choice: choice,
    };
    const json = [tools, functions, schema, choice].map((value) => JSON.stringify(value));
    expect(promptOf(body).texts).toEqual(['user', 'hi', ...json]);
    expect(promptOf({ ...user('hi'), tool_choice: 'auto' }).texts).toEqual(['user', 'hi']);
  });

  it('counts an image as an image, however long its data URL', () => {
    const small = { type: 'image_url', image_url: { url: 'https://example.com/a.png' } };
    const large = {
      type: 'image_url',
      image_url: { url: `data:image/png;base64,${'iVBOR'.repeat(200_000)}`, detail: 'high' },
    };
    const body = user([{ type: 'text', text: 'hello' }, small, large]);
    expect(estimatePrompt(body)).toEqual({ textTokens: 1 + AROUND_ONE_MESSAGE, images: 2 });
    expect(countPrompt(body)).toBe(1 + AROUND_ONE_MESSAGE + 2 * IMAGE_TOKENS_DEFAULT);
    expect(countPrompt(body, 85)).toBe(1 + AROUND_ONE_MESSAGE + 2 * 85);
    expect(promptFloor(body)).toBeLessThanOrEqual(1 + AROUND_ONE_MESSAGE);
  });

  it('counts sound and files by their size in images, never as text', () => {
    const sound = (chars: number) => ({
      type: 'input_audio',
      input_audio: { data: 'A'.repeat(chars), format: 'wav' },
    });
    const file = (chars: number) => ({
      type: 'file',
      file: { file_data: 'A'.repeat(chars), filename: 'report.pdf' },
    });
    expect(promptOf(user([sound(1)])).images).toBe(1);
    expect(promptOf(user([sound(1024 * 1024 + 1)])).images).toBe(2);
    expect(promptOf(user([file(1)])).images).toBe(1);
    expect(promptOf(user([file(10 * 64 * 1024)])).images).toBe(10);
    expect(promptOf(user([file(100)])).texts).toEqual(['user', 'report.pdf']);
    expect(promptOf(user([{ type: 'file', file: { file_id: 'file-1' } }])).images).toBe(1);
  });

  it('reads the strings of a part that it does not know, but for embedded files', () => {
    const part = {
      type: 'tool_result',
      content: [{ text: 'seven' }, { url: `data:image/png;base64,${'A'.repeat(1000)}` }],
    };
    const prompt = promptOf(user([part]));
    expect(prompt.texts).toContain('seven');
    expect(prompt.texts.join('')).not.toContain('data:');
    expect(prompt.images).toBe(1);
  });

  it('walks deep parts without a stack', () => {
    let part: unknown = 'bottom';
    for (let i = 0; i < 100_000; i++) part = { inner: part };
    expect(promptOf(user([part])).texts).toContain('bottom');
    expect(() => countPrompt({ messages: [], tools: part })).not.toThrow();
  });

  it('is done with many large messages before anybody notices', () => {
    const messages = Array.from({ length: 40 }, () => ({
      role: 'user',
      content: 'qx'.repeat(COUNTED_UNITS_MAX / 4),
    }));
    const startedAt = performance.now();
    countPrompt({ messages });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});

describe('estimatePrompt', () => {
  it.each(Object.entries(SAMPLES))('is within 0.8 and 1.6 of the count with %s', (_, text) => {
    const ratio = estimatePrompt(user(text)).textTokens / countPrompt(user(text));
    expect(ratio).toBeGreaterThan(0.8);
    expect(ratio).toBeLessThan(1.6);
  });

  it('is the sum of the estimates of its texts and what stands around them', () => {
    const body = { messages: [{ role: 'user', name: 'Ada', content: 'some words here' }] };
    const texts = ['user', 'Ada', 'some words here'];
    const sum = texts.reduce((total, text) => total + estimateTokens(text), 0);
    expect(estimatePrompt(body)).toEqual({ textTokens: sum + 6, images: 0 });
  });
});

/** Bodies whose members have the right names and any values. */
const anyJson = fc.jsonValue({ maxDepth: 3 });
const members = (names: readonly string[], value: fc.Arbitrary<unknown>) =>
  fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: [] });
const part = members(['type', 'text', 'image_url', 'input_audio', 'file', 'source'], anyJson);
const message = members(
  ['role', 'name', 'refusal', 'tool_calls', 'function_call'],
  fc.oneof(anyJson, fc.array(members(['function', 'custom'], anyJson))),
).chain((rest) =>
  fc.oneof(anyJson, fc.array(fc.oneof(part, anyJson))).map((content) => ({ ...rest, content })),
);
const body = members(['tools', 'functions', 'response_format', 'tool_choice'], anyJson).chain(
  (rest) =>
    fc
      .oneof(anyJson, fc.array(fc.oneof(message, anyJson)))
      .map((messages) => ({ ...rest, messages })),
);

describe('a prompt of any shape', () => {
  it('never throws, and its floor, count and estimate agree on what is there', () => {
    fc.assert(
      fc.property(fc.oneof(body, anyJson), (value) => {
        const count = countPrompt(value, 100);
        expect(promptFloor(value, 100)).toBeLessThanOrEqual(count);
        const { textTokens, images } = estimatePrompt(value);
        expect(Number.isSafeInteger(textTokens) && textTokens >= 0).toBe(true);
        expect(promptOf(value).images).toBe(images);
        const texts = promptOf(value).texts.reduce((sum, text) => sum + countTokens(text), 0);
        expect(count).toBe(texts + images * 100 + promptOf(value).messages * 3 + 3);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the size of a prompt before it is sent', () => {
  const lettersOf = (seed: number, words: number) => {
    let state = seed;
    const next = () => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return String.fromCharCode(97 + ((state >> 16) % 26));
    };
    return Array.from({ length: words }, () => next() + next() + next() + next() + next()).join(
      ' ',
    );
  };
  const sample = (text: string, chars: number) =>
    text.repeat(Math.ceil(chars / text.length)).slice(0, chars);

  it.each([
    ['random letters', lettersOf(7, 9_000)],
    ['Sinhala', sample('ආයුබෝවන් ලෝකය සුභ උදෑසනක් වේවා ', 40_000)],
    ['rare Cyrillic', sample('Ѭѯѱѵѹѻѽѿ҂ҊҌҎҐҔҚҞҠҢҤҦ ', 40_000)],
    ['letters with marks', sample('ḀḂḄḆḈḊḌḎḐḒḔḖḘḚḜḞḠḢḤḦḨḪḬḮḰ ', 40_000)],
    ['English', sample('The quick brown fox jumps over the lazy dog, as foxes do. ', 40_000)],
    [
      'a plain beginning and a costly rest',
      `${sample('plain words ', 20_000)}${lettersOf(3, 5_000)}`,
    ],
  ])('is never far below the count, so that a hold covers an honest bill: %s', (_what, text) => {
    for (const length of [200, 5_000, text.length]) {
      const body = { messages: [{ role: 'user', content: text.slice(0, length) }] };
      const { textTokens } = estimatePrompt(body);
      expect(2 * textTokens + 64).toBeGreaterThanOrEqual(1.35 * countPrompt(body));
    }
  });
});
