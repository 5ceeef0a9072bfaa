/** What `POST /api/show` of an Ollama says of one model (docs.ollama.com/api-reference). Pure. */
import type { Capability } from '../config/types.ts';
import { isObject, type JsonObject } from '../openai/json-object.ts';
import { tokensOf } from './entry.ts';
import type { FeedModel } from './feed.ts';

export type ModelDetails = Pick<FeedModel, 'contextWindow' | 'supports' | 'reasoning' | 'unfit'>;

export function readOllamaDetails(body: unknown): ModelDetails | null {
  if (!isObject(body)) return null;
  const can = Array.isArray(body.capabilities) ? body.capabilities : null;
  return {
    contextWindow: contextOf(body),
    supports: can === null ? null : supportsOf(can),
    reasoning: can === null ? null : can.includes('thinking'),
    unfit: can === null || can.includes('completion') ? null : 'it does not complete text',
  };
}

/** What the model is loaded with, where its file says so, else what it was trained for. */
function contextOf({ parameters, model_info: info }: JsonObject) {
  const set = typeof parameters === 'string' ? /^num_ctx\s+(\d{1,9})/m.exec(parameters) : null;
  if (set !== null) return tokensOf(Number(set[1]));
  if (!isObject(info)) return null;
  return tokensOf(info[`${String(info['general.architecture'])}.context_length`]);
}

function supportsOf(can: readonly unknown[]): ReadonlySet<Capability> {
  // Ollama constrains the output of any model.
  const supports = new Set<Capability>(['json']);
  if (can.includes('tools')) supports.add('tools');
  if (can.includes('vision')) supports.add('images');
  return supports;
}
