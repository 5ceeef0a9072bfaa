/**
 * A chat request as far as core interprets it. Everything else in the body passes untouched, known
 * to us or not: the provider is the one that knows its own parameters.
 * Shapes: OpenAI API reference, "Create chat completion".
 */
import { promptOf } from '../tokens/prompt.ts';
import type { Complaint, ParsedRequest } from './api-request.ts';
import { isObject, type JsonObject } from './json-object.ts';
import {
  CHOICES_MAX,
  checkBoolean,
  checkCount,
  checkModel,
  checkStreamOptions,
  includeUsageOf,
  invalid,
  isFilledArray,
  nameOf,
  readObject,
} from './read-body.ts';

export { CHOICES_MAX, MODEL_NAME_CHARS_MAX } from './read-body.ts';

/** Never throws. O(bytes); the caller has bounded the body (`server.body_limit_mb`). */
export function parseChatRequest(raw: Buffer): ParsedRequest {
  const read = readObject(raw, '"model" and "messages"');
  if ('error' in read) return { ok: false, error: read.error };
  const { body, spans } = read;
  const complaint =
    checkModel(body.model) ??
    checkMessages(body.messages) ??
    checkBoolean('stream', body.stream) ??
    checkStreamOptions(raw, spans, body.stream_options) ??
    checkCount(raw, spans, body, 'max_tokens', Number.MAX_SAFE_INTEGER) ??
    checkCount(raw, spans, body, 'max_completion_tokens', Number.MAX_SAFE_INTEGER) ??
    checkCount(raw, spans, body, 'n', CHOICES_MAX);
  if (complaint !== null) return { ok: false, error: complaint };

  const messages = body.messages as JsonObject[];
  return {
    ok: true,
    request: {
      endpoint: 'chat',
      raw,
      spans,
      body,
      model: body.model as string,
      messages,
      stream: body.stream === true,
      includeUsage: includeUsageOf(body.stream_options),
      maxTokens: outputBoundOf(body),
      n: (body.n as number | null | undefined) ?? 1,
      prompts: 1,
      hasImages: messages.some(hasImagePart),
      hasTools: isFilledArray(body.tools) || isFilledArray(body.functions),
      wantsJson: asksForJson(body.response_format),
      effort: body.reasoning_effort,
      prompt: () => promptOf(body),
      asChat: null,
    },
  };
}

// ── Checks of messages ───────────────────────────────────────────────────────────────────────────────

function checkMessages(messages: unknown): Complaint {
  if (messages === undefined || messages === null) {
    return invalid('messages', "'messages' is missing. Send an array with at least one message.");
  }
  if (!Array.isArray(messages)) {
    return invalid('messages', `'messages' must be an array, not ${nameOf(messages)}.`);
  }
  if (messages.length === 0) {
    return invalid('messages', "'messages' is empty. Send at least one message.");
  }
  for (let i = 0; i < messages.length; i++) {
    const complaint = checkMessage(i, messages[i]);
    if (complaint !== null) return complaint;
  }
  return null;
}

/** `content` may be null or missing: an assistant message with tool calls has none. */
function checkMessage(index: number, message: unknown): Complaint {
  if (!isObject(message)) {
    const path = `messages[${index}]`;
    return invalid(path, `'${path}' must be an object, not ${nameOf(message)}.`);
  }
  const { role, content } = message;
  if (typeof role !== 'string') {
    const path = `messages[${index}].role`;
    return invalid(path, `'${path}' must be a string such as "user", not ${nameOf(role)}.`);
  }
  if (content === undefined || content === null) return null;
  if (typeof content === 'string' || Array.isArray(content)) return null;
  const path = `messages[${index}].content`;
  return invalid(
    path,
    `'${path}' must be a string, an array of parts, or null, not ${nameOf(content)}.`,
  );
}

// ── Reading what passed the checks ───────────────────────────────────────────────────────────────

/** Where both are given the larger one counts: see `ApiRequest.maxTokens`. */
function outputBoundOf(body: JsonObject): number | null {
  const older = (body.max_tokens as number | null | undefined) ?? null;
  const newer = (body.max_completion_tokens as number | null | undefined) ?? null;
  if (older === null || newer === null) return older ?? newer;
  return Math.max(older, newer);
}

export function hasImagePart(message: JsonObject): boolean {
  const { content } = message;
  if (!Array.isArray(content)) return false;
  return content.some(
    (part) =>
      isObject(part) &&
      (part.type === 'image_url' || part.type === 'image' || part.type === 'input_image'),
  );
}

function asksForJson(format: unknown): boolean {
  return isObject(format) && (format.type === 'json_object' || format.type === 'json_schema');
}
