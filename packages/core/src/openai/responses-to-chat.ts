/**
 * A Responses request in chat's words, for providers that have only chat, and for everybody who
 * counts what a model reads. What has no counterpart is noted and left out: a provider that has the
 * endpoint may still serve it, and one that has not is not asked.
 *
 * Reasoning items are left out: what a model thought before is its own seller's to read. Hints that
 * change nothing in the answer's shape (`include`, `truncation`, `max_tool_calls`) are dropped; what
 * is not known goes along as it is, as everywhere.
 */
import type { Untranslatable } from './api-request.ts';
import { isObject, type JsonObject } from './json-object.ts';
import { isOpenAiReasoningModel } from './model-family.ts';
import { cut } from './read-body.ts';
import { messagesOf, type Notes, SELLER, textOf } from './responses-input.ts';

export interface ChatForm {
  readonly body: JsonObject;
  /** The first thing that has no counterpart; null = all of it has. */
  readonly untranslatable: Untranslatable | null;
}

/** What is translated below, or means nothing in chat. */
const TRANSLATED = [
  'input',
  'instructions',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'text',
  'reasoning',
  'max_output_tokens',
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
] as const;
/**
 * Chat's own words, which this API does not have. They stay behind: `n` or a bound under another name
 * would buy more than was held for the request.
 */
const OF_CHAT = [
  'messages',
  'n',
  'max_tokens',
  'max_completion_tokens',
  'reasoning_effort',
  'response_format',
  'stream_options',
  'functions',
  'function_call',
  'logprobs',
] as const;
const LEFT_BEHIND: ReadonlySet<string> = new Set([...TRANSLATED, ...OF_CHAT]);

/** Never throws for a body that passed the checks of `responses-request.ts`. */
export function chatOf(body: JsonObject): ChatForm {
  const notes: Notes = {
    first: null,
    cannot(param, message) {
      notes.first ??= { untranslatable: true, param: cut(param), message };
    },
  };
  const rest = Object.entries(body).filter(
    ([key, value]) => !LEFT_BEHIND.has(key) && value !== null,
  );
  const effort = isObject(body.reasoning) ? body.reasoning.effort : undefined;
  const messages = messagesOf(body, notes);
  if (messages.length === 0) notes.cannot('input', `${SELLER} message in it. Send at least one.`);
  const chat = {
    ...Object.fromEntries(rest),
    messages,
    ...toolsOf(body, notes),
    ...formatOf(body, notes),
    ...boundOf(body),
    ...(typeof effort === 'string' ? { reasoning_effort: effort } : {}),
  };
  noteState(body, notes);
  return { body: chat, untranslatable: notes.first };
}

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
