/** A request as far as a mock must understand it, and chat's way to write it. Tolerant: what it does not know, it ignores. */

export interface MockRequest {
  readonly model: string;
  readonly streaming: boolean;
  readonly includeUsage: boolean;
  readonly hasStreamOptions: boolean;
  /** Texts of all messages, tool results included. */
  readonly texts: readonly string[];
  readonly lastRole: string;
  readonly lastUserText: string;
  readonly images: number;
  /** Over all prompts. */
  readonly choices: number;
  /** Nothing stands around the texts: no roles, no beginning of an answer. */
  readonly plain: boolean;
  /** Prompt tokens that were given as tokens. */
  readonly ids: number;
  /** Per choice; null = unbounded. */
  readonly maxTokens: number | null;
  readonly json: 'text' | 'object' | 'schema';
  readonly schema: unknown;
  readonly tools: readonly { readonly name: string; readonly parameters: unknown }[];
  /** A name = that tool must be called. */
  readonly toolChoice: 'none' | 'auto' | 'required' | { readonly name: string };
  readonly parallel: boolean;
  /** The tools as sent, for the count of the prompt. */
  readonly toolsText: string;
}

/** What is wrong with a request, as OpenAI says it. */
export interface MockRefusal {
  readonly status: number;
  readonly message: string;
  readonly code: string | null;
  readonly param: string | null;
}

/** As OpenAI has it; also what keeps one request from filling the memory. */
const CHOICES_MAX = 128;

export type Json = Readonly<Record<string, unknown>>;

export const asObject = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
export const asArray = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const asText = (value: unknown): string => (typeof value === 'string' ? value : '');

export function readChat(body: unknown): MockRequest | MockRefusal {
  const wrong = checkBody(body, ['n', 'max_tokens', 'max_completion_tokens']);
  if (wrong !== null) return wrong;
  const json = body as Json;
  const messages = asArray(json.messages).map(asObject);
  if (messages.length === 0) {
    return refusal(400, "Invalid 'messages': empty array.", 'empty_array', 'messages');
  }
  return { ...readConversation(messages), ...readOptions(json) };
}

/** What every endpoint refuses. `counts`: integers from 1, where they are there. */
export function checkBody(body: unknown, counts: readonly string[]): MockRefusal | null {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return refusal(400, 'We could not parse the JSON body of your request.', null, null);
  }
  const json = body as Json;
  if (typeof json.model !== 'string') {
    return refusal(400, 'you must provide a model parameter', null, 'model');
  }
  for (const param of counts) {
    const value = json[param];
    if (value === undefined || value === null) continue;
    if (!Number.isSafeInteger(value) || (value as number) < 1) {
      const message = `Invalid '${param}': integer below minimum value.`;
      return refusal(400, message, 'integer_below_min_value', param);
    }
  }
  if (((json.n ?? 1) as number) > CHOICES_MAX) {
    const message = `Invalid 'n': integer above maximum value ${CHOICES_MAX}.`;
    return refusal(400, message, 'integer_above_max_value', 'n');
  }
  return null;
}

export function isRefusal(value: MockRequest | MockRefusal): value is MockRefusal {
  return 'status' in value;
}

function readConversation(messages: readonly Json[]) {
  const contents = messages.map(({ content }) => readContent(content));
  const lastUser = messages.findLastIndex(({ role }) => role === 'user');
  return {
    texts: contents.map(({ text }) => text),
    lastRole: asText(messages.at(-1)?.role),
    lastUserText: contents[lastUser]?.text ?? '',
    images: contents.reduce((sum, { images }) => sum + images, 0),
  };
}

export function readContent(content: unknown): { text: string; images: number } {
  if (typeof content === 'string') return { text: content, images: 0 };
  const parts = asArray(content).map(asObject);
  return {
    text: parts.map(({ text }) => asText(text)).join('\n'),
    images: parts.filter(({ type }) => type === 'image_url' || type === 'input_image').length,
  };
}

function readOptions(json: Json) {
  const format = asObject(json.response_format);
  const maxTokens = (json.max_completion_tokens ?? json.max_tokens ?? null) as number | null;
  return {
    model: asText(json.model),
    streaming: json.stream === true,
    includeUsage: asObject(json.stream_options).include_usage === true,
    hasStreamOptions: json.stream_options !== undefined && json.stream_options !== null,
    choices: (json.n ?? 1) as number,
    plain: false,
    ids: 0,
    maxTokens,
    json: readFormat(format.type),
    schema: asObject(format.json_schema).schema,
    tools: asArray(json.tools).map((tool) => {
      const definition = asObject(asObject(tool).function);
      return { name: asText(definition.name), parameters: definition.parameters };
    }),
    toolChoice: readToolChoice(json.tool_choice),
    parallel: json.parallel_tool_calls !== false,
    toolsText: json.tools === undefined ? '' : JSON.stringify(json.tools),
  };
}

export function readFormat(type: unknown): MockRequest['json'] {
  if (type === 'json_object') return 'object';
  return type === 'json_schema' ? 'schema' : 'text';
}

function readToolChoice(choice: unknown): MockRequest['toolChoice'] {
  if (choice === 'none' || choice === 'required') return choice;
  const name = asText(asObject(asObject(choice).function).name);
  return name === '' ? 'auto' : { name };
}

export function refusal(
  status: number,
  message: string,
  code: string | null,
  param: string | null,
): MockRefusal {
  return { status, message, code, param };
}
