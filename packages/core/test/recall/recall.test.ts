import { expect, it } from 'vitest';
import type { ApiRequest } from '../../src/openai/api-request.ts';
import { parseChatRequest } from '../../src/openai/chat-request.ts';
import { parseResponsesRequest } from '../../src/openai/responses-request.ts';
import { RECALLED_CHARS_MAX, recall } from '../../src/recall/recall.ts';
import { countPrompt } from '../../src/tokens/prompt.ts';

const SAID = {
  type: 'message',
  role: 'assistant',
  content: [{ type: 'output_text', text: 'It rains in Ålesund.', annotations: [], logprobs: [] }],
};
const CALL = { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"n":1}' };
const KNOWN: Record<string, string> = {
  msg_1: JSON.stringify(SAID),
  fc_1: JSON.stringify(CALL),
};

function requestOf(text: string): ApiRequest {
  const parsed = parseResponsesRequest(Buffer.from(text));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.request;
}
const recallOf = (text: string, known = KNOWN) =>
  recall(requestOf(text), (id) => known[id] ?? null);
function recalled(text: string, known = KNOWN): ApiRequest {
  const request = recallOf(text, known);
  if ('kind' in request) throw new Error(request.message);
  return request;
}

it('puts items in the places of their references and leaves the rest byte for byte', () => {
  const { raw } = recalled(
    '{ "input": [ {"role":"user","content":"]\\u0041\\","}, {"type":"item_reference","id":"msg_1"} ,{"id":"fc_1"},{"n":12345678901234567890,"role":"user","content":[]} ] ,"model":"m","top_p":1.0}',
  );
  expect(raw.toString()).toBe(
    `{ "input": [ {"role":"user","content":"]\\u0041\\","}, ${KNOWN.msg_1} ,${KNOWN.fc_1},{"n":12345678901234567890,"role":"user","content":[]} ] ,"model":"m","top_p":1.0}`,
  );
});

it('makes the same request as one that brings the items along', () => {
  const user = { role: 'user', content: 'And tomorrow?' };
  const output = { type: 'function_call_output', call_id: 'call_1', output: 'snow' };
  const sent = (said: object, call: object) =>
    JSON.stringify({ model: 'm', stream: true, input: [user, said, call, output] });
  const byId = recalled(
    sent({ type: 'item_reference', id: 'msg_1' }, { type: 'item_reference', id: 'fc_1' }),
  );
  const inline = requestOf(sent(SAID, CALL));
  expect(byId.raw).toEqual(inline.raw);
  expect(byId.messages).toEqual(inline.messages);
  expect(countPrompt(byId.prompt())).toBe(countPrompt(inline.prompt()));
  const chat = byId.asChat!();
  if ('untranslatable' in chat) throw new Error(chat.message);
  expect(chat.messages).toEqual([
    { role: 'user', content: 'And tomorrow?' },
    {
      role: 'assistant',
      content: 'It rains in Ålesund.',
      tool_calls: [
        { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"n":1}' } },
      ],
    },
    { role: 'tool', tool_call_id: 'call_1', content: 'snow' },
  ]);
});

it.each([
  ['a string', '{"model":"m","input":"Hi"}'],
  ['items alone', '{"model":"m","input":[{"id":"msg_1","role":"user","content":"Hi"}]}'],
])('leaves %s as it is', (_what, text) => {
  const request = requestOf(text);
  expect(recall(request, () => null)).toBe(request);
});

it('leaves other endpoints alone, which have no references', () => {
  const parsed = parseChatRequest(
    Buffer.from('{"model":"m","messages":[{"role":"user","content":"Hi"}],"input":[{"id":"a"}]}'),
  );
  if (!parsed.ok) throw new Error(parsed.error.message);
  expect(recall(parsed.request, () => null)).toBe(parsed.request);
});

it.each([
  ['an id that nobody remembers', '{"type":"item_reference","id":"msg_2"}'],
  ['no id', '{"type":"item_reference"}'],
  ['an id that is none', '{"type":"item_reference","id":7}'],
  ['an id alone', '{"id":"msg_2"}'],
])('refuses %s, and says what to do', (_what, reference) => {
  const input = `[{"type":"item_reference","id":"msg_1"},${reference}]`;
  const refusal = recallOf(`{"model":"m","input":${input}}`);
  expect(refusal).toMatchObject({
    kind: 'refused',
    status: 400,
    code: 'unsupported_parameter',
    param: 'input[1]',
    message: expect.stringMatching(/does not remember: the core was restarted.*store: false/),
  });
  expect(JSON.stringify(refusal)).not.toContain('msg_2');
});

it('bounds what one request brings in by repeating itself', () => {
  const text = 'x'.repeat(RECALLED_CHARS_MAX / 4);
  const known = { msg_1: JSON.stringify({ ...SAID, content: text }) };
  const asking = (times: number) => {
    const input = Array.from({ length: times }, () => ({ type: 'item_reference', id: 'msg_1' }));
    return recallOf(JSON.stringify({ model: 'm', input }), known);
  };
  expect(asking(3)).toHaveProperty('raw');
  expect(asking(4)).toMatchObject({ code: 'invalid_request', param: 'input' });
});
