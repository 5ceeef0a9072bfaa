import { describe, expect, it } from 'vitest';
import type { ApiRequest } from '../../src/openai/api-request.ts';
import { parseChatRequest } from '../../src/openai/chat-request.ts';
import * as params from '../../src/openai/refused-params.ts';
import { unsupportedParameter } from '../../src/openai/refused-params.ts';
import { parseResponsesRequest } from '../../src/openai/responses-request.ts';

function request(members: object): ApiRequest {
  const body = { model: 'm', messages: [{ role: 'user', content: 'Hi' }], ...members };
  const parsed = parseChatRequest(Buffer.from(JSON.stringify(body)));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.request;
}

/** The path alone. */
const refusedParam = (...asked: Parameters<typeof params.refusedParam>): string | null =>
  params.refusedParam(...asked)?.param ?? null;

const KINDS = ['openai', 'routstr', 'openrouter', 'ollama', 'mesh-llm', 'mock'];

describe('refusedParam', () => {
  it.each([
    ['service_tier', { service_tier: 'priority' }],
    ['service_tier', { service_tier: 'flex' }],
    ['service_tier', { service_tier: 7 }],
    ['web_search_options', { web_search_options: {} }],
    ['background', { background: true }],
    ['background', { background: 'yes' }],
    ['audio', { audio: { voice: 'ash', format: 'wav' } }],
    ['modalities', { modalities: ['text', 'audio'] }],
    ['modalities', { modalities: ['image', 'text'] }],
    ['modalities', { modalities: 'audio' }],
  ])('refuses %s at every kind of provider: %j', (param, members) => {
    for (const kind of KINDS) {
      expect(refusedParam(request(members), kind, [])).toBe(param);
      expect(refusedParam(request(members), kind, [param])).toBeNull();
    }
  });

  it.each([
    ['plugins', { plugins: [{ id: 'web' }] }],
    ['models', { models: ['openai/gpt-4o'] }],
    ['provider', { provider: { order: ['Together'] } }],
    ['route', { route: 'fallback' }],
  ])('refuses %s only where it means something: %j', (param, members) => {
    for (const kind of KINDS) {
      const expected = kind === 'openrouter' || kind === 'routstr' ? param : null;
      expect(refusedParam(request(members), kind, [])).toBe(expected);
      expect(refusedParam(request(members), kind, [param])).toBeNull();
    }
  });

  it('refuses audio in a message, which is priced as audio', () => {
    const content = [{ type: 'input_audio', input_audio: { data: '…', format: 'wav' } }];
    const heard = request({
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'user', content },
      ],
    });
    expect(refusedParam(heard, 'openai', [])).toBe('messages[1].content');
    expect(refusedParam(heard, 'openai', ['audio'])).toBeNull();
  });

  it("refuses OpenRouter's plugins where they come as tools", () => {
    const tools = [{ type: 'function' }, { type: 'openrouter:web_search' }];
    expect(refusedParam(request({ tools }), 'openrouter', [])).toBe('tools[1].type');
    expect(refusedParam(request({ tools }), 'openrouter', ['plugins'])).toBeNull();
    expect(refusedParam(request({ tools }), 'openai', [])).toBeNull();
  });

  it.each([
    {},
    {
      service_tier: null,
      web_search_options: null,
      background: null,
      audio: null,
      modalities: null,
    },
    { plugins: null, models: null, provider: null, route: null },
    { plugins: [], models: [], provider: {}, background: false, modalities: ['text'] },
    { service_tier: 'auto' },
    { service_tier: 'default' },
    { temperature: 2, seed: 1, user: 'u', store: true, metadata: {}, reasoning_effort: 'high' },
    { tools: [{ type: 'function' }, null, 'odd'] },
  ])('lets pass what asks for nothing dearer: %j', (members) => {
    for (const kind of KINDS) expect(refusedParam(request(members), kind, [])).toBeNull();
  });

  it('needs each parameter allowed by its own name', () => {
    const both = request({ service_tier: 'flex', background: true });
    expect(refusedParam(both, 'openai', ['background'])).toBe('service_tier');
    expect(refusedParam(both, 'openai', ['service_tier'])).toBe('background');
    expect(refusedParam(both, 'openai', ['service_tier', 'background'])).toBeNull();
  });

  it('allows spoken answers, but no images, where audio is allowed', () => {
    const spoken = request({ modalities: ['text', 'audio'], audio: { voice: 'ash' } });
    expect(refusedParam(spoken, 'openai', ['audio'])).toBeNull();
    expect(refusedParam(request({ modalities: ['audio', 'image'] }), 'openai', ['audio'])).toBe(
      'modalities',
    );
  });
});

describe('at other endpoints', () => {
  const responses = (more: object): ApiRequest => {
    const parsed = parseResponsesRequest(
      Buffer.from(JSON.stringify({ model: 'm', input: 'Hi', ...more })),
    );
    if (!parsed.ok) throw new Error(parsed.error.message);
    return parsed.request;
  };
  const own = [
    { type: 'function', name: 'f' },
    { type: 'custom', name: 'g' },
  ];

  it.each([
    ['hosted_tools', 'tools[2].type', { tools: [...own, { type: 'web_search' }] }],
    ['hosted_tools', 'tools[0].type', { tools: [{ type: 'mcp' }] }],
    ['prompt', 'prompt', { prompt: { id: 'pmpt_1' } }],
    ['service_tier', 'service_tier', { service_tier: 'flex' }],
  ])('%s is refused unless it is allowed by that name', (name, param, more) => {
    expect(params.refusedParam(responses(more), 'openai', [])).toEqual({ param, name });
    expect(params.refusedParam(responses(more), 'openai', [name])).toBeNull();
  });

  it('tools that the caller runs itself pass', () => {
    expect(refusedParam(responses({ tools: own }), 'openai', [])).toBeNull();
  });

  it('more made than shown is refused', () => {
    expect(refusedParam(request({ n: 2, best_of: 3 }), 'openai', [])).toBe('best_of');
    expect(refusedParam(request({ n: 2, best_of: 2 }), 'openai', [])).toBeNull();
  });

  it.each([true, 1, 'no'])('a prompt that comes back as output is refused: echo %j', (echo) => {
    expect(refusedParam(request({ echo }), 'openai', [])).toBe('echo');
    expect(refusedParam(request({ echo }), 'openai', ['echo'])).toBeNull();
  });

  it('a prompt that does not come back passes', () => {
    expect(refusedParam(request({ echo: false }), 'openai', [])).toBeNull();
  });

  it('more made than the one response that there is is refused, whatever n says', () => {
    const parsed = parseResponsesRequest(
      Buffer.from('{"model":"m","input":"Hi","n":5,"best_of":5}'),
    );
    if (!parsed.ok) throw new Error(parsed.error.message);
    expect(refusedParam(parsed.request, 'openai', [])).toBe('best_of');
  });
});

describe('unsupportedParameter', () => {
  it('names the parameter, the reason and the way out', () => {
    const error = unsupportedParameter({ param: 'tools[0].type', name: 'hosted_tools' });
    expect(error).toMatchObject({ code: 'unsupported_parameter', param: 'tools[0].type' });
    expect(error.message).toMatch(
      /'tools\[0].type'.*price.*Leave it out.*"hosted_tools".*allow_params/,
    );
  });
});
