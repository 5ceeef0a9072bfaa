/**
 * The meter of the Responses API. Its stream says by typed events what happens; `response.completed`,
 * `response.incomplete` and `response.failed` end it, and carry the usage.
 */
import { readErrorValue, type UpstreamError } from '../openai/error-body.ts';
import { argumentsOf, isObject, type JsonObject } from '../openai/json-object.ts';
import { createDelivered } from './delivered.ts';
import type { AnswerKind, ChunkKind, Meter } from './meter.ts';
import { isErrorBody, isFilledObject } from './shapes.ts';

/** Output and part indexes at or above it are the provider's nonsense; their text still counts. */
const INDEX_MAX = 1_024;

/** What a text of an item is. A thought is told whole, as a summary, or both ways. */
type Kind = 'text' | 'refusal' | 'thought' | 'name' | 'call' | 'other';

/** Each is a text of its own; what else there may be is one, or a seller could fill memory with names. */
const TEXTS: ReadonlyMap<string, { readonly kind: Kind; readonly whole: string }> = new Map([
  ['response.output_text', { kind: 'text', whole: 'text' }],
  ['response.refusal', { kind: 'refusal', whole: 'refusal' }],
  ['response.reasoning_text', { kind: 'thought', whole: 'text' }],
  ['response.reasoning_summary_text', { kind: 'thought', whole: 'text' }],
  ['response.function_call_arguments', { kind: 'call', whole: 'arguments' }],
  ['response.mcp_call_arguments', { kind: 'call', whole: 'arguments' }],
  ['response.custom_tool_call_input', { kind: 'call', whole: 'input' }],
]);
/** Pieces of output end in `.delta`, the events that repeat them whole in `.done`. */
const TEXT_EVENT = /^(response\..+)\.(delta|done)$/;

export function createResponseMeter(): Meter {
  const delivered = createDelivered();
  /** What came before the end, by item and kind; at most (INDEX_MAX + 1) × 6. */
  const came = new Set<string>();
  const inPieces = new Set<Kind>();
  const charsOf = new Map<Kind, number>();
  const identity: { id: string | null; model: string | null; created: number | null } = {
    id: null,
    model: null,
    created: null,
  };
  let hasChunks = false;
  let hasContent = false;
  let isFinished = false;
  let usage: unknown = null;
  let error: UpstreamError | null = null;

  function readResponse(response: JsonObject): void {
    hasChunks = true;
    if (isFilledObject(response.usage)) usage = response.usage;
    if (typeof response.id === 'string') identity.id ??= response.id;
    if (typeof response.model === 'string') identity.model ??= response.model;
  }

  function add(index: number, kind: Kind, text: string): boolean {
    charsOf.set(kind, (charsOf.get(kind) ?? 0) + text.length);
    const isNew = delivered.add(index, kind, text);
    hasContent ||= isNew;
    return isNew;
  }

  /** Pieces whose kind is not known may be of any, but names come whole. */
  const hasCome = (index: number, kind: Kind): boolean =>
    came.has(`${index} ${kind}`) || (kind !== 'name' && came.has(`${index} other`));

  /**
   * The whole output: what of it did not come before counts now. Of each kind that is no more than it
   * has beyond the pieces, for sellers that number their items otherwise in events, or not at all.
   */
  function readOutput({ output }: JsonObject): void {
    if (!Array.isArray(output)) return;
    const texts = output.flatMap(textsIn);
    const left = new Map<Kind, number>();
    for (const { kind, text } of texts) {
      left.set(kind, (left.get(kind) ?? -(charsOf.get(kind) ?? 0)) + text.length);
    }
    for (const { index, kind, text } of texts) {
      const room = left.get(kind) ?? 0;
      if (room <= 0 || hasCome(index, kind)) continue;
      add(index, kind, text.slice(0, room));
      left.set(kind, room - text.length);
    }
    // What the seller's own tools did is output without text.
    hasContent ||= output.some((item) => isObject(item) && isCall(item.type));
  }

  function readPiece(json: JsonObject, base: string, isWhole: boolean): ChunkKind {
    const index = indexOf(json.output_index);
    const known = TEXTS.get(base);
    const kind = known?.kind ?? 'other';
    // Of any item: what repeats pieces may be numbered otherwise. What is left out here the end has.
    const repeats = inPieces.has(kind) || inPieces.has('other');
    if (isWhole && (known === undefined || repeats)) return 'other';
    const said = json[isWhole ? known!.whole : 'delta'];
    const text = kind === 'call' ? argumentsOf(said) : said;
    if (typeof text !== 'string' || !add(index, kind, text)) return 'other';
    came.add(`${index} ${kind}`);
    if (!isWhole) inPieces.add(kind);
    return 'content';
  }

  function fail(value: unknown): 'error' {
    error ??= readErrorValue(value);
    return 'error';
  }

  function observe(json: unknown): ChunkKind {
    if (!isObject(json)) return 'other';
    const { type, response } = json;
    if (isObject(response)) readResponse(response);
    if (type === 'error' || type === undefined) {
      return isErrorBody(json) || type === 'error' ? fail(json) : 'other';
    }
    if (typeof type !== 'string') return 'other';
    if (type === 'response.failed') {
      return fail(isObject(response) && isErrorBody(response) ? response : json);
    }
    if (type === 'response.completed' || type === 'response.incomplete') {
      if (!isObject(response)) return 'other';
      readOutput(response);
      isFinished = true;
      return 'end';
    }
    if (type === 'response.output_item.added' && isObject(json.item)) {
      const index = indexOf(json.output_index);
      const { name } = json.item;
      if (typeof name !== 'string' || !add(index, 'name', name)) return 'other';
      came.add(`${index} name`);
      return 'content';
    }
    const [, base, ending] = TEXT_EVENT.exec(type) ?? [];
    return base === undefined ? 'other' : readPiece(json, base, ending === 'done');
  }

  function observeAnswer(json: unknown): AnswerKind {
    if (!isObject(json)) return 'not_completion';
    readResponse(json);
    if (isErrorBody(json) || json.status === 'failed') return fail(json);
    const isWhole = json.status === undefined || ENDED.has(json.status);
    if (!Array.isArray(json.output) || !isWhole) return 'not_completion';
    readOutput(json);
    isFinished = true;
    return 'completion';
  }

  return {
    observe,
    observeAnswer,
    text: delivered.text,
    get textLength() {
      return delivered.length();
    },
    get hasChunks() {
      return hasChunks;
    },
    get hasContent() {
      return hasContent;
    },
    get usage() {
      return usage;
    },
    get error() {
      return error;
    },
    get anyFinished() {
      return isFinished;
    },
    get isFinished() {
      return isFinished;
    },
    endsWithDone: false,
    identity,
  };
}

/** What a whole answer may call itself; one that is under way still is none. */
const ENDED: ReadonlySet<unknown> = new Set(['completed', 'incomplete']);

const isCall = (type: unknown): boolean => typeof type === 'string' && type.endsWith('_call');

/** Of events without an index all is one item. */
const indexOf = (value: unknown): number =>
  Number.isInteger(value) ? Math.min(Math.max(value as number, 0), INDEX_MAX) : 0;

interface ItemText {
  readonly index: number;
  readonly kind: Kind;
  readonly text: string;
}

function textsIn(item: unknown, position: number): ItemText[] {
  if (!isObject(item)) return [];
  const index = Math.min(position, INDEX_MAX);
  const found: [Kind, unknown][] = [];
  const said = item.type === 'reasoning' ? 'thought' : 'text';
  for (const part of [item.content].flat()) {
    if (isObject(part)) found.push([said, part.text], ['refusal', part.refusal]);
  }
  for (const part of [item.summary].flat()) if (isObject(part)) found.push(['thought', part.text]);
  found.push(['name', item.name], ['call', argumentsOf(item.arguments ?? item.input)]);
  return found.flatMap(([kind, text]) =>
    typeof text === 'string' && text !== '' ? [{ index, kind, text }] : [],
  );
}
