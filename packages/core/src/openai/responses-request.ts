/**
 * A Responses request as far as core interprets it. What lives at one seller (an earlier response, a
 * conversation, a run in the background) is refused whoever would serve it: the next request may go
 * to another seller, who knows nothing of it. Items by their ids are `recall/`'s to find.
 * Shapes: OpenAI API reference, "Create a model response".
 */
import { type Prompt, promptOf } from '../tokens/prompt.ts';
import type {
  ApiRequest,
  Complaint,
  ParsedRequest,
  RequestError,
  Untranslatable,
} from './api-request.ts';
import { hasImagePart, parseChatRequest } from './chat-request.ts';
import { isObject, type JsonObject } from './json-object.ts';
import {
  checkBoolean,
  checkCount,
  checkModel,
  invalid,
  isFilledArray,
  nameOf,
  readObject,
} from './read-body.ts';
import { isReference } from './responses-input.ts';
import { chatOf } from './responses-to-chat.ts';

/** Never throws. */
export function parseResponsesRequest(raw: Buffer): ParsedRequest {
  const read = readObject(raw, '"model" and "input"');
  if ('error' in read) return { ok: false, error: read.error };
  const { body, spans } = read;
  const complaint: Complaint =
    checkModel(body.model) ??
    checkState(body) ??
    checkInput(body) ??
    checkBoolean('stream', body.stream) ??
    checkCount(raw, spans, body, 'max_output_tokens', Number.MAX_SAFE_INTEGER);
  if (complaint !== null) return { ok: false, error: complaint };

  const { body: chat, untranslatable } = chatOf(body);
  const text = isObject(body.text) ? body.text : {};
  const format = isObject(text.format) ? text.format.type : undefined;
  const messages = chat.messages as readonly JsonObject[];
  return {
    ok: true,
    request: {
      endpoint: 'responses',
      raw,
      spans,
      body,
      model: body.model as string,
      messages,
      stream: body.stream === true,
      includeUsage: 'absent',
      maxTokens: (body.max_output_tokens as number | null | undefined) ?? null,
      n: 1,
      prompts: 1,
      hasImages: messages.some(hasImagePart),
      hasTools: isFilledArray(body.tools),
      wantsJson: format === 'json_object' || format === 'json_schema',
      effort: chat.reasoning_effort,
      // Tools as they are: chat is offered fewer where some are not allowed, and knows no grammars.
      prompt: () => withThoughts(promptOf({ ...chat, tools: body.tools }), body.input),
      asChat: once(() => untranslatable ?? chatRequest(chat)),
    },
  };
}

/** Checked again as what it is now. Of a sound request only its depth can be wrong: chat nests deeper. */
function chatRequest(body: JsonObject): ApiRequest | Untranslatable {
  const parsed = parseChatRequest(Buffer.from(JSON.stringify(body)));
  if (parsed.ok) return parsed.request;
  const { message, param } = parsed.error;
  return { untranslatable: true, param: param ?? 'input', message };
}

/** Most requests are served at the endpoint that was asked, and a body may have megabytes. */
function once<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/**
 * What a model thought before: open ones read it as it stands; what is encrypted is read by the seller
 * that can decrypt it. A token of thought is some five characters of base64, which the tokenizer takes
 * for two tokens: so half of them count.
 */
function withThoughts(prompt: Prompt, input: unknown): Prompt {
  const items = Array.isArray(input) ? input.filter(isObject) : [];
  const thoughts = items
    .filter(({ type }) => type === 'reasoning')
    .flatMap(({ encrypted_content: sealed, content }) => [
      ...(typeof sealed === 'string' ? [sealed.slice(0, sealed.length / 2)] : []),
      ...(Array.isArray(content) ? content : []).flatMap((part) =>
        isObject(part) && typeof part.text === 'string' ? [part.text] : [],
      ),
    ]);
  return thoughts.length === 0 ? prompt : { ...prompt, texts: [...prompt.texts, ...thoughts] };
}

// ── Checks ───────────────────────────────────────────────────────────────────────────────────────

const unsupported = (param: string, message: string): RequestError => ({
  code: 'unsupported_parameter',
  param,
  message,
});

function checkState(body: JsonObject): Complaint {
  for (const key of ['previous_response_id', 'conversation']) {
    if (body[key] === undefined || body[key] === null) continue;
    return unsupported(
      key,
      `'${key}' lives at one seller, and each request may go to another. Send the whole conversation in 'input', with store: false.`,
    );
  }
  if (body.background === undefined || body.background === null || body.background === false) {
    return null;
  }
  return unsupported(
    'background',
    "'background' runs at one seller, where nobody could ask for it later. Leave it out and stream the answer, with store: false.",
  );
}

function checkInput(body: JsonObject): Complaint {
  const { input } = body;
  if (input === undefined || input === null) {
    if (isObject(body.prompt)) return null;
    return invalid('input', "'input' is missing. Send a string or an array of items.");
  }
  if (typeof input === 'string') return null;
  if (!Array.isArray(input)) {
    return invalid('input', `'input' must be a string or an array, not ${nameOf(input)}.`);
  }
  if (input.length === 0) return invalid('input', "'input' is empty. Send at least one item.");
  for (let i = 0; i < input.length; i++) {
    const complaint = checkItem(`input[${i}]`, input[i]);
    if (complaint !== null) return complaint;
  }
  return null;
}

function checkItem(path: string, item: unknown): Complaint {
  if (!isObject(item)) {
    return invalid(path, `'${path}' must be an object, not ${nameOf(item)}.`);
  }
  if (isReference(item)) return null;
  const { type, role, content } = item;
  if (type !== undefined && typeof type !== 'string') {
    return invalid(`${path}.type`, `'${path}.type' must be a string, not ${nameOf(type)}.`);
  }
  if (type !== undefined && type !== 'message') return null;
  if (typeof role !== 'string') {
    return invalid(
      `${path}.role`,
      `'${path}.role' must be a string such as "user", not ${nameOf(role)}.`,
    );
  }
  if (typeof content === 'string' || Array.isArray(content)) return null;
  return invalid(
    `${path}.content`,
    `'${path}.content' must be a string or an array of parts, not ${nameOf(content)}.`,
  );
}
