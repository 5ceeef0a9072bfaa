/** The items of a Responses request as chat messages. */
import type { Untranslatable } from './api-request.ts';
import { argumentsOf, isObject, type JsonObject } from './json-object.ts';
import { cut } from './read-body.ts';

/** Collects what has no counterpart; only the first is told. */
export interface Notes {
  first: Untranslatable | null;
  cannot(param: string, message: string): void;
}

export const SELLER =
  'No seller of this model has the Responses API itself, and its translation has no';

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Never throws for a body that passed the checks of `responses-request.ts`. */
export function messagesOf(body: JsonObject, notes: Notes): JsonObject[] {
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

/** An earlier item by its id; OpenAI takes an id alone, too. */
export const isReference = ({ type, role, id }: JsonObject): boolean =>
  type === 'item_reference' || (type === undefined && role === undefined && id !== undefined);

interface Message {
  role: string;
  content?: unknown;
  tool_calls?: object[];
  [key: string]: unknown;
}

function addItem(messages: Message[], item: JsonObject, path: string, notes: Notes): void {
  switch (isReference(item) ? 'item_reference' : item.type) {
    case undefined:
    case 'message':
      messages.push(messageOf(item, path, notes));
      return;
    case 'function_call':
      callsOf(messages).push({
        id: textOf(item.call_id),
        type: 'function',
        function: { name: textOf(item.name), arguments: argumentsOf(item.arguments) },
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

/** A tool's result is text in chat. Whoever has the endpoint reads images, too, so they count. */
function outputOf(output: unknown, path: string, notes: Notes): string | JsonObject[] {
  if (!Array.isArray(output)) return argumentsOf(output);
  const parts = output.map((part, i) => partOf(part, `${path}[${i}]`, notes));
  if (parts.every(isText)) return parts.map(({ text }) => text).join('\n');
  notes.cannot(path, `${SELLER} tool results but text. Send images in a message of the user.`);
  return parts;
}
