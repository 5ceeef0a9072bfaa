import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ApiRequest, RequestError } from '../../src/openai/api-request.ts';
import { parseResponsesRequest } from '../../src/openai/responses-request.ts';
import { countPrompt } from '../../src/tokens/prompt.ts';

const bytes = (body: object): Buffer => Buffer.from(JSON.stringify(body));

function accepted(more: object): ApiRequest {
  const parsed = parseResponsesRequest(bytes({ model: 'm', input: 'Hi', ...more }));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.request;
}
function refused(more: object): RequestError {
  const parsed = parseResponsesRequest(bytes({ model: 'm', input: 'Hi', ...more }));
  if (parsed.ok) throw new Error('it was accepted');
  return parsed.error;
}

/** What a chat provider would be sent. */
function chatOf(more: object): Record<string, unknown> {
  const chat = accepted(more).asChat!();
  if ('untranslatable' in chat) throw new Error(JSON.stringify(chat));
  expect(chat).toMatchObject({ endpoint: 'chat', n: 1 });
  return JSON.parse(chat.raw.toString());
}
const messagesOf = (more: object) => chatOf(more).messages;

const call = (nth: number) => ({
  type: 'function_call',
  id: `fc_${nth}`,
  call_id: `call_${nth}`,
  name: 'add',
  arguments: `{"n":${nth}}`,
});
const chatCall = (nth: number) => ({
  id: `call_${nth}`,
  type: 'function',
  function: { name: 'add', arguments: `{"n":${nth}}` },
});

describe('input as chat messages', () => {
  it('is a text, with the instructions before it', () => {
    expect(messagesOf({ instructions: 'Be brief.' })).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
    ]);
  });

  it('is items of every role; a text alone goes as a string', () => {
    const input = [
      { role: 'developer', content: 'Count.' },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'One?' }] },
      {
        type: 'message',
        id: 'msg_1',
        role: 'assistant',
        status: 'completed',
        content: [
          { type: 'output_text', text: 'One.', annotations: [] },
          { type: 'refusal', refusal: ' No more.' },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'input_text', text: 'And this?' },
          { type: 'input_image', image_url: 'https://x.example/a.png', detail: 'low' },
          { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,AA' },
        ],
      },
    ];
    expect(messagesOf({ input })).toEqual([
      { role: 'system', content: 'Count.' },
      { role: 'user', content: 'One?' },
      { role: 'assistant', content: 'One. No more.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'And this?' },
          { type: 'image_url', image_url: { url: 'https://x.example/a.png', detail: 'low' } },
          {
            type: 'file',
            file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,AA' },
          },
        ],
      },
    ]);
    expect(accepted({ input }).hasImages).toBe(true);
  });

  it.each([
    [{ at: ['sea'] }, '{"at":["sea"]}'],
    [7, '7'],
    [false, 'false'],
    [null, ''],
  ])('gives arguments and results that are no text as their JSON: %j', (value, text) => {
    const input = [
      { ...call(1), arguments: value },
      { type: 'function_call_output', call_id: 'call_1', output: value },
    ];
    expect(messagesOf({ input })).toMatchObject([
      { tool_calls: [{ function: { name: 'add', arguments: text } }] },
      { role: 'tool', content: text },
    ]);
  });

  it('joins calls in a row, and the words before them, to one turn', () => {
    const input = [
      { role: 'user', content: 'Add.' },
      { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'Hm.' }] },
      { role: 'assistant', content: 'I will.' },
      call(1),
      call(2),
      { type: 'function_call_output', call_id: 'call_1', output: '1' },
      {
        type: 'function_call_output',
        call_id: 'call_2',
        output: [{ type: 'input_text', text: '2' }],
      },
      call(3),
    ];
    expect(messagesOf({ input })).toEqual([
      { role: 'user', content: 'Add.' },
      { role: 'assistant', content: 'I will.', tool_calls: [chatCall(1), chatCall(2)] },
      { role: 'tool', tool_call_id: 'call_1', content: '1' },
      { role: 'tool', tool_call_id: 'call_2', content: '2' },
      { role: 'assistant', content: null, tool_calls: [chatCall(3)] },
    ]);
  });
});

describe('parameters in chat', () => {
  const parameters = { type: 'object', properties: {} };
  const tool = { type: 'function', name: 'add', description: 'Adds', parameters, strict: true };
  const other = { type: 'function', name: 'sub', parameters, strict: null };

  it('are tools, their choice, the format, the bound, the effort; the rest goes along', () => {
    expect(
      chatOf({
        tools: [tool, other],
        tool_choice: { type: 'function', name: 'add' },
        parallel_tool_calls: false,
        text: { format: { type: 'json_schema', name: 'x', strict: true, schema: parameters } },
        max_output_tokens: 9,
        reasoning: { effort: 'low', summary: 'auto' },
        temperature: 0.5,
        top_p: null,
        seed: 7,
        n: 5,
        max_tokens: 1_000_000,
        store: false,
        include: ['reasoning.encrypted_content'],
        metadata: { a: 'b' },
        truncation: 'auto',
        previous_response_id: null,
        stream: true,
      }),
    ).toEqual({
      model: 'm',
      messages: [{ role: 'user', content: 'Hi' }],
      tools: [
        {
          type: 'function',
          function: { name: 'add', description: 'Adds', parameters, strict: true },
        },
        { type: 'function', function: { name: 'sub', parameters } },
      ],
      tool_choice: { type: 'function', function: { name: 'add' } },
      parallel_tool_calls: false,
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'x', strict: true, schema: parameters },
      },
      max_tokens: 9,
      reasoning_effort: 'low',
      temperature: 0.5,
      seed: 7,
      stream: true,
    });
  });

  it('are for reasoning models under the name that those take', () => {
    expect(chatOf({ model: 'gpt-5', max_output_tokens: 9 })).toMatchObject({
      max_completion_tokens: 9,
    });
  });

  it('offer only the tools that are allowed', () => {
    const choice = {
      type: 'allowed_tools',
      mode: 'required',
      tools: [{ type: 'function', name: 'sub' }],
    };
    expect(chatOf({ tools: [tool, other], tool_choice: choice })).toMatchObject({
      tools: [{ function: { name: 'sub' } }],
      tool_choice: 'required',
    });
  });

  it('leave out what no chat takes without tools', () => {
    const chat = chatOf({ tools: [], tool_choice: 'auto', parallel_tool_calls: true });
    expect(Object.keys(chat).sort()).toEqual(['messages', 'model']);
  });

  it('say what routing asks for', () => {
    expect(accepted({ tools: [tool], text: { format: { type: 'json_object' } } })).toMatchObject({
      endpoint: 'responses',
      hasTools: true,
      wantsJson: true,
      hasImages: false,
      maxTokens: null,
      n: 1,
    });
  });
});

describe('what has no form in chat', () => {
  it.each([
    ['store', { store: true }],
    ['prompt', { prompt: { id: 'pmpt_1' } }],
    ['input', { input: [{ type: 'reasoning', id: 'rs_1', summary: [] }] }],
    ['context_management', { context_management: [{ type: 'compaction' }] }],
    ['top_logprobs', { top_logprobs: 2 }],
    ['tools[0].type', { tools: [{ type: 'mcp', server_url: 'https://x.example' }] }],
    ['tool_choice', { tools: [{ type: 'function', name: 'f' }], tool_choice: { type: 'mcp' } }],
    ['text.format', { text: { format: { type: 'grammar' } } }],
    ['input[0].type', { input: [{ type: 'web_search_call', id: 'ws_1', status: 'completed' }] }],
    [
      'input[0].content[0]',
      { input: [{ role: 'user', content: [{ type: 'input_image', file_id: 'f' }] }] },
    ],
    [
      'input[0].output',
      {
        input: [
          {
            type: 'function_call_output',
            call_id: 'c',
            output: [{ type: 'input_image', image_url: 'https://x.example/a.png' }],
          },
        ],
      },
    ],
  ])('is known by its path: %s', (param, more) => {
    expect(accepted(more).asChat!()).toMatchObject({ untranslatable: true, param });
  });

  it('counts all the same, for a provider that has the endpoint', () => {
    const text = 'a long result of a search '.repeat(50);
    const input = [
      { role: 'user', content: 'Hi' },
      { type: 'web_search_call', result: text },
    ];
    const base = countPrompt(accepted({}).prompt());
    expect(countPrompt(accepted({ input }).prompt())).toBeGreaterThan(base + 250);
  });
});

it('counts encrypted reasoning, which only its own seller reads', () => {
  const input = (encrypted_content: string) => [
    { role: 'user', content: 'Hi' },
    { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content },
  ];
  const count = (text: string) => countPrompt(accepted({ input: input(text) }).prompt());
  expect(count('gAAAAABx7Q9'.repeat(100))).toBeGreaterThan(count('') + 100);
  expect(chatOf({ input: input('gAAAAABx7Q9') }).messages).toHaveLength(1);
});

describe('what only a seller with the endpoint reads counts', () => {
  const count = (more: object) => countPrompt(accepted(more).prompt());
  const words = 'wide sea '.repeat(300);
  const withItem = (item: object) => ({ input: [{ role: 'user', content: 'Hi' }, item] });
  const pass = { type: 'function', name: 'pass' };

  it.each([
    [
      'tools that are not allowed this time',
      {
        tools: [pass, { type: 'function', name: 'add', description: words }],
        tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [pass] },
      },
    ],
    [
      'the grammar of a tool',
      { tools: [{ type: 'custom', name: 'add', format: { type: 'grammar', definition: words } }] },
    ],
    [
      'open reasoning',
      withItem({ type: 'reasoning', content: [{ type: 'reasoning_text', text: words }] }),
    ],
    [
      'an image as the result of a tool',
      withItem({
        type: 'function_call_output',
        call_id: 'call_1',
        output: [{ type: 'input_image', image_url: 'https://x.example/a.png' }],
      }),
    ],
  ])('%s', (_what, more) => {
    expect(count(more)).toBeGreaterThan(count({}) + 500);
  });

  it('and an image in the words of another API asks for a model that sees', () => {
    const content = [{ type: 'image', source: { type: 'url', url: 'https://x.example/a.png' } }];
    expect(accepted(withItem({ role: 'user', content })).hasImages).toBe(true);
  });

  it('and an image as the result of a tool asks for a model that sees', () => {
    const output = [{ type: 'input_image', image_url: 'data:image/png;base64,AA' }];
    const request = accepted(withItem({ type: 'function_call_output', call_id: 'c', output }));
    expect(request.hasImages).toBe(true);
  });
});

describe('a request that is refused whoever would serve it', () => {
  it.each([
    ['previous_response_id', { previous_response_id: 'resp_1' }],
    ['conversation', { conversation: { id: 'conv_1' } }],
    ['background', { background: true }],
  ])('needs state at one seller: %s', (param, more) => {
    expect(refused(more)).toMatchObject({ code: 'unsupported_parameter', param });
    expect(refused(more).message).toContain('store: false');
  });

  it.each([
    ['model', { model: '' }],
    ['input', { input: null }],
    ['input', { input: [] }],
    ['input', { input: 7 }],
    ['input[0]', { input: ['x'] }],
    ['input[0].role', { input: [{ content: 'x' }] }],
    ['input[0].content', { input: [{ role: 'user' }] }],
    ['stream', { stream: 'yes' }],
    ['max_output_tokens', { max_output_tokens: 0 }],
  ])('is malformed at %s', (param, more) => {
    expect(refused(more)).toMatchObject({ code: 'invalid_request', param });
  });
});

it('any JSON is accepted or refused, never thrown at', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.array(fc.jsonValue()),
      (more, input) => {
        const parsed = parseResponsesRequest(bytes({ ...more, model: 'm', input }));
        if (parsed.ok) expect(parsed.request.asChat!()).toBeDefined();
      },
    ),
  );
});
