import { describe, expect, it } from 'vitest';
import type { ParsedRequest } from '../../src/openai/api-request.ts';
import { parseCompletionsRequest } from '../../src/openai/completions-request.ts';
import { parseEmbeddingsRequest } from '../../src/openai/embeddings-request.ts';
import { countPrompt } from '../../src/tokens/prompt.ts';

const completions = (more: object) =>
  parseCompletionsRequest(Buffer.from(JSON.stringify({ model: 'm', prompt: 'Hi', ...more })));
const embeddings = (more: object) =>
  parseEmbeddingsRequest(Buffer.from(JSON.stringify({ model: 'm', input: 'Hi', ...more })));
function request(parsed: ParsedRequest) {
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.request;
}

describe('completions', () => {
  it.each([
    [{ prompt: 'wide' }, 1, 1, 1],
    [{ prompt: ['wide', 'sea'], n: 3 }, 2, 6, 2],
    [{ prompt: [1, 2, 3] }, 1, 1, 3],
    [{ prompt: [[1, 2], [3]], n: 2 }, 2, 4, 3],
    [{ prompt: null }, 1, 1, 0],
    [{ prompt: 'wide', suffix: 'sea' }, 1, 1, 2],
    [{ prompt: ['wide'], suffix: 'sea' }, 1, 1, 2],
    [{ prompt: ['wide', 'sea'], suffix: '' }, 2, 2, 2],
  ])('%j', (more, prompts, n, tokens) => {
    const parsed = request(completions(more));
    expect(parsed).toMatchObject({ endpoint: 'completions', prompts, n });
    expect(countPrompt(parsed.prompt())).toBe(tokens);
  });

  it.each([
    ['prompt', { prompt: 7 }],
    ['prompt', { prompt: ['x', 7] }],
    ['prompt', { prompt: [] }],
    ['prompt', { prompt: [[]] }],
    ['suffix', { prompt: ['wide', 'sea'], suffix: 'x' }],
    ['suffix', { prompt: [[1], [2]], suffix: 'x' }],
    ['max_tokens', { max_tokens: 1.5 }],
    ['best_of', { best_of: 0 }],
    ['n', { n: 129 }],
    ['stream', { stream: 1 }],
  ])('are refused at %s: %j', (param, more) => {
    expect(completions(more)).toMatchObject({ ok: false, error: { param } });
  });
});

describe('embeddings', () => {
  it.each([
    [{ input: 'wide' }, 1, 1],
    [{ input: ['wide', 'sea', 'wide'] }, 3, 3],
    [{ input: [1, 2, 3] }, 1, 3],
    [{ input: [[1, 2], [3]] }, 2, 3],
  ])('%j have no output to pay for', (more, prompts, tokens) => {
    const parsed = request(embeddings(more));
    expect(parsed).toMatchObject({ endpoint: 'embeddings', prompts, maxTokens: 0, stream: false });
    expect(countPrompt(parsed.prompt())).toBe(tokens);
  });

  it.each([
    [{ input: null }],
    [{ input: [] }],
    [{ input: [{}] }],
    [{ input: Array.from({ length: 2049 }, () => 'x') }],
  ])('are refused without a readable input', (more) => {
    expect(embeddings(more)).toMatchObject({ ok: false, error: { param: 'input' } });
  });
});
