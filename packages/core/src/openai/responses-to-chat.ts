/**
 * A Responses request in chat's words, for providers that have only chat, and for everybody who
 * counts what a model reads. What has no counterpart is noted and left out: a provider that has the
 * endpoint may still serve it, and one that has not is not asked.
 *
 * Reasoning items are left out: what a model thought before is its own seller's to read. Hints that
 * change nothing in the answer's shape (`include`, `truncation`, `max_tool_calls`) are dropped; what
 * is not known goes along as it is, as everywhere.
 */
import type { JsonObject, Untranslatable } from './api-request.ts';
import { isOpenAiReasoningModel } from './model-family.ts';
import { cut, isObject } from './read-body.ts';

export interface ChatForm {
  readonly body: JsonObject;
  /** The first thing that has no counterpart; null = all of it has. */
  readonly untranslatable: Untranslatable | null;
}

/** What is translated below, or means nothing in chat. */
const TRANSLATED = new Set([
  'input',
  'instructions',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'text',
  'reasoning',
  'max_output_tokens',
  'stream_options',
  'include',
  'truncation',
  'max_tool_calls',
  'store',
  'metadata',
  'background',
  'previous_response_id',
  'conversation',
  'prompt',
  'context_management',
  'top_logprobs',
]);

/** Collects what has no counterpart; only the first is told. */
interface Notes {
  first: Untranslatable | null;
  cannot(param: string, message: string): void;
}

/** Never throws for a body that passed the checks of `responses-request.ts`. */
export function chatOf(body: JsonObject): ChatForm {
  const notes: Notes = {
    first: null,
    cannot(param, message) {
      notes.first ??= { untranslatable: true, param: cut(param), message };
    },
  };
  const rest = Object.entries(body).filter(
    ([key, value]) => !TRANSLATED.has(key) && value !== null,
  );
  const effort = isObject(body.reasoning) ? body.reasoning.effort : undefined;
  const chat = {
    ...Object.fromEntries(rest),
    messages: messagesOf(body, notes),
    ...toolsOf(body, notes),
    ...formatOf(body, notes),
    ...boundOf(body),
    ...(typeof effort === 'string' ? { reasoning_effort: effort } : {}),
  };
  noteState(body, notes);
  return { body: chat, untranslatable: notes.first };
}

const SELLER = 'No seller of this model has the Responses API itself, and its translation has no';

function noteState(body: JsonObject, { cannot }: Notes): void {
  if (body.store === true) {
    cannot('store', `${SELLER} place to store an answer. Set store: false, or leave it out.`);
  }
  if (isObject(body.prompt)) {
    cannot(
      'prompt',
      `${SELLER} prompt templates. Send the text itself in 'instructions' and 'input'.`,
    );
  }
  if (Array.isArray(body.context_management) && body.context_management.length > 0) {
    cannot('context_management', `${SELLER} compaction. Leave it out and shorten 'input'.`);
  }
  if (typeof body.top_logprobs === 'number' && body.top_logprobs > 0) {
    cannot('top_logprobs', `${SELLER} logprobs. Leave it out, or use /v1/chat/completions.`);
  }
}

function boundOf({ max_output_tokens: bound, model }: JsonObject): JsonObject {
  if (bound === undefined || bound === null) return {};
  const isReasoning = typeof model === 'string' && isOpenAiReasoningModel(model);
  return { [isReasoning ? 'max_completion_tokens' : 'max_tokens']: bound };
}

// ── Input ────────────────────────────────────────────────────────────────────────────────────────

function messagesOf(body: JsonObject, notes: Notes): JsonObject[] {
  const messages: Message[] = [];
  if (typeof body.instructions === 'string' && body.instructions !== '') {
    messages.push({ role: 'system', content: body.instructions });
  }
  const input = body.input ?? [];
  if (typeof input === 'string') return [...messages, { role: 'user', content: input }];
  for (const [i, item] of (input as JsonObject[]).entries()) {
    addItem(messages, item, `input[${i}]`, notes);
  }
  return messages;
}

interface Message {
  role: string;
  content?: unknown;
  tool_calls?: object[];
  [key: string]: unknown;
}

function addItem(messages: Message[], item: JsonObject, path: string, notes: Notes): void {
  switch (item.type) {
    case undefined:
    case 'message':
      messages.push(messageOf(item, path, notes));
      return;
    case 'function_call':
      callsOf(messages).push({
        id: textOf(item.call_id),
        type: 'function',
        function: { name: textOf(item.name), arguments: textOf(item.arguments) },
      });
      return;
    case 'function_call_output':
      messages.push({
        role: 'tool',
        tool_call_id: textOf(item.call_id),
        content: outputOf(item.output, `${path}.output`, notes),
      });
      return;
    case 'reasoning':
      return;
    default:
      notes.cannot(
        `${path}.type`,
        `${SELLER} items of type ${JSON.stringify(cut(textOf(item.type)))}. Use function tools, whose calls and outputs any seller can read.`,
      );
      // Whoever has the endpoint reads it, so it counts.
      messages.push({ role: 'assistant', content: [item] });
  }
}

/** Calls in a row, and the words before them, are one turn of the assistant. */
function callsOf(messages: Message[]): object[] {
  const last = messages.at(-1);
  if (last?.role === 'assistant' && !Array.isArray(last.content)) {
    last.tool_calls ??= [];
    return last.tool_calls;
  }
  const calls: object[] = [];
  messages.push({ role: 'assistant', content: null, tool_calls: calls });
  return calls;
}

/** `developer` is OpenAI's word for it; the templates of open models know only `system`. */
const roleOf = (role: unknown): string => (role === 'developer' ? 'system' : textOf(role));

function messageOf({ role, content }: JsonObject, path: string, notes: Notes): Message {
  const name = roleOf(role);
  if (typeof content === 'string') return { role: name, content };
  const parts = (content as unknown[]).map((part, i) =>
    partOf(part, `${path}.content[${i}]`, notes),
  );
  // A text alone goes as a string: not every seller takes parts of an assistant.
  if (parts.every(isText)) {
    const texts = parts.map(({ text }) => text);
    if (name === 'assistant' || texts.length === 1) return { role: name, content: texts.join('') };
  }
  return { role: name, content: parts };
}

const isText = (part: JsonObject): part is { type: 'text'; text: string } =>
  part.type === 'text' && typeof part.text === 'string';

function partOf(part: unknown, path: string, notes: Notes): JsonObject {
  if (!isObject(part)) return { type: 'text', text: textOf(part) };
  switch (part.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return { type: 'text', text: textOf(part.text) };
    case 'refusal':
      return { type: 'text', text: textOf(part.refusal) };
    case 'input_image':
      if (typeof part.image_url === 'string') {
        const detail = typeof part.detail === 'string' ? { detail: part.detail } : {};
        return { type: 'image_url', image_url: { url: part.image_url, ...detail } };
      }
      break;
    case 'input_file':
      if (typeof part.file_data === 'string') {
        return { type: 'file', file: { filename: part.filename, file_data: part.file_data } };
      }
      break;
    case 'input_audio':
      return { type: 'input_audio', input_audio: part.input_audio };
  }
  notes.cannot(
    path,
    `${SELLER} way to send this part. Send text, images by URL or data URL, and files as file_data.`,
  );
  return part;
}

/** A tool's result is text in chat. */
function outputOf(output: unknown, path: string, notes: Notes): string {
  if (!Array.isArray(output)) return textOf(output);
  const parts = output.map((part, i) => partOf(part, `${path}[${i}]`, notes));
  if (!parts.every(isText)) {
    notes.cannot(path, `${SELLER} tool results but text. Send images in a message of the user.`);
  }
  return parts.map(({ text }) => textOf(text)).join('\n');
}

// ── Tools ────────────────────────────────────────────────────────────────────────────────────────

function toolsOf(body: JsonObject, notes: Notes): JsonObject {
  if (!Array.isArray(body.tools) || body.tools.length === 0) return {};
  const { choice, only } = choiceOf(body.tool_choice, notes);
  const tools = body.tools
    .map((tool, i) => toolOf(tool, `tools[${i}]`, notes))
    .filter(({ function: { name } }) => only === null || only.has(name));
  if (tools.length === 0) return {};
  const parallel = body.parallel_tool_calls;
  return {
    tools,
    ...(choice === undefined ? {} : { tool_choice: choice }),
    ...(typeof parallel === 'boolean' ? { parallel_tool_calls: parallel } : {}),
  };
}

interface FunctionTool {
  readonly type: 'function';
  readonly function: JsonObject & { readonly name: unknown };
}

function toolOf(tool: unknown, path: string, notes: Notes): FunctionTool {
  const { type, name, description, parameters, strict } = isObject(tool) ? tool : {};
  if (type !== 'function') {
    notes.cannot(
      `${path}.type`,
      `${SELLER} hosted tools such as ${JSON.stringify(cut(textOf(type)))}. Offer a function tool of your own instead, or have the operator add a provider with endpoints = ["responses"].`,
    );
  }
  return {
    type: 'function',
    function: {
      name,
      ...(description === undefined || description === null ? {} : { description }),
      ...(parameters === undefined || parameters === null ? {} : { parameters }),
      ...(typeof strict === 'boolean' ? { strict } : {}),
    },
  };
}

/** `only`: chat has no such list that every seller knows, so the others are not offered at all. */
function choiceOf(
  choice: unknown,
  notes: Notes,
): { choice: unknown; only: ReadonlySet<unknown> | null } {
  if (choice === undefined || choice === null) return { choice: undefined, only: null };
  if (typeof choice === 'string') return { choice, only: null };
  if (isObject(choice) && choice.type === 'function') {
    return { choice: { type: 'function', function: { name: choice.name } }, only: null };
  }
  if (isObject(choice) && choice.type === 'allowed_tools' && Array.isArray(choice.tools)) {
    const names = choice.tools.map((tool) => (isObject(tool) ? tool.name : undefined));
    return { choice: choice.mode, only: new Set(names) };
  }
  notes.cannot(
    'tool_choice',
    `${SELLER} choice of this kind. Use "auto", "none", "required", or a function tool by its name.`,
  );
  return { choice: undefined, only: null };
}

// ── Text ─────────────────────────────────────────────────────────────────────────────────────────

function formatOf({ text }: JsonObject, notes: Notes): JsonObject {
  if (!isObject(text)) return {};
  const verbosity = typeof text.verbosity === 'string' ? { verbosity: text.verbosity } : {};
  const format = isObject(text.format) ? text.format : { type: 'text' };
  switch (format.type) {
    case 'text':
      return verbosity;
    case 'json_object':
      return { ...verbosity, response_format: { type: 'json_object' } };
    case 'json_schema': {
      const { type: _, ...schema } = format;
      return { ...verbosity, response_format: { type: 'json_schema', json_schema: schema } };
    }
    default:
      notes.cannot(
        'text.format',
        `${SELLER} format of this kind. Use "text", "json_object" or "json_schema".`,
      );
      return verbosity;
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
