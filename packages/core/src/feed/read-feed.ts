/**
 * A seller's list of models, as it came over the network: untrusted, and read leniently, since every
 * seller leaves out something. What cannot be read is unknown, never a default; one entry that is
 * wrong does not spoil the others. Pure.
 */
import type { ProviderKind } from '../config/types.ts';
import { isObject, type JsonObject } from '../openai/json-object.ts';
import type { EntryReading } from './entry.ts';
import type { Feed, FeedModel, Unroutable } from './feed.ts';
import { readListed } from './read-listed.ts';
import { readPriced } from './read-priced.ts';

/** OpenRouter, the largest there is, has some 500. */
const MODELS_MAX = 2_000;
/** Other names of one model that are looked at. */
const ALIASES_MAX = 16;
/** Names stand in headers, in paths and in the log. */
const ID = /^[\x21-\x7e]{1,128}$/;
const SHOWN_CHARS = 64;

const READERS: Readonly<Record<ProviderKind, (entry: JsonObject, id: string) => EntryReading>> = {
  routstr: (entry) => readPriced(entry, 'routstr'),
  openrouter: (entry) => readPriced(entry, 'openrouter'),
  openai: readListed,
  'mesh-llm': readListed,
  // Its own name for a model without a tag.
  ollama: (entry, id) => ({ ...readListed(entry), aliases: [id.replace(/:latest$/, '')] }),
  mock: readListed,
};

/** `{data: […]}`, or a bare list. `wrong`: what is the matter with the list as a whole. */
export function readFeed(kind: ProviderKind, body: unknown): Feed | { readonly wrong: string } {
  const list = Array.isArray(body) ? body : isObject(body) ? body.data : undefined;
  // Ollama says null where it has no models.
  if (list !== null && !Array.isArray(list)) return { wrong: 'is not a list of models' };
  if (list === null || list.length === 0) return { wrong: 'lists no models' };
  if (list.length > MODELS_MAX) {
    return { wrong: `lists ${list.length} models; at most ${MODELS_MAX} are taken` };
  }
  const models = new Map<string, FeedModel>();
  const refused = new Map<string, string>();
  for (const entry of list) {
    const id = isObject(entry) ? entry.id : undefined;
    if (!isObject(entry) || typeof id !== 'string' || !ID.test(id)) {
      refused.set(shown(id), 'its name is not 1 to 128 visible ASCII characters');
    } else if (models.has(id) || refused.has(id)) {
      models.delete(id);
      refused.set(id, 'it stands twice in the feed, so nobody can say which price holds');
    } else if (entry.enabled === false) {
      refused.set(id, 'its seller has it disabled');
    } else {
      const { aliases, ...model } = READERS[kind](entry, id);
      models.set(id, { id, ...model, aliases: readAliases(aliases, id) });
    }
  }
  return {
    models: withoutSharedAliases([...models.values()]),
    refused: [...refused].map(([model, reason]): Unroutable => ({ model, reason })),
  };
}

function readAliases(aliases: readonly unknown[], id: string): string[] {
  const names = aliases
    .slice(0, ALIASES_MAX)
    .filter((alias) => typeof alias === 'string' && alias !== id && ID.test(alias));
  return [...new Set(names)] as string[];
}

/** A name that two models claim says nothing, and a model's own name goes before another's alias. */
function withoutSharedAliases(models: readonly FeedModel[]): FeedModel[] {
  const claims = new Map<string, number>();
  for (const { id, aliases } of models) {
    for (const name of [id, ...aliases]) claims.set(name, (claims.get(name) ?? 0) + 1);
  }
  return models.map((model) => ({
    ...model,
    aliases: model.aliases.filter((alias) => claims.get(alias) === 1),
  }));
}

function shown(id: unknown): string {
  return typeof id === 'string'
    ? JSON.stringify(id.slice(0, SHOWN_CHARS).replace(/[^\x20-\x7e]/g, '?'))
    : '(no name)';
}
