/** One reading of a seller's feed: its list of models, what Ollama says of each, a node's balance. */
import { createHash } from 'node:crypto';
import type { ProviderConfig } from '../config/types.ts';
import { parseBounded } from '../openai/bounded-json.ts';
import { isObject } from '../openai/json-object.ts';
import type { FeedSource } from '../ports.ts';
import type { Feed, FeedModel } from './feed.ts';
import { readFeed } from './read-feed.ts';
import { type ModelDetails, readOllamaDetails } from './read-ollama-details.ts';

/**
 * Brackets in one answer. JSON.parse makes an object of each: without a bound, four megabytes of them
 * would stop all requests for a quarter of a second. A model has some ten.
 */
const CONTAINERS_MAX = 50_000;
/** With strings, for the same reason: a model has some hundred and fifty, and 2,000 models are taken. */
const PARTS_MAX = 500_000;
/** Models of which one reading asks for details; the others' turn comes with the next ones. */
const DETAILS_MAX = 32;
/** Msat: more than all there will ever be. */
const BALANCE_MSAT_MAX = Number.MAX_SAFE_INTEGER;

/** What earlier readings of the same seller leave to the next. */
export interface Earlier {
  /** Of the last list that was taken; null = none. */
  readonly hash: string | null;
  readonly details: ReadonlyMap<string, ModelDetails>;
}

export const NOTHING_EARLIER: Earlier = { hash: null, details: new Map() };

export type Reading =
  | {
      readonly kind: 'read';
      readonly hash: string;
      /** null = as it was. */
      readonly feed: Feed | null;
      readonly details: ReadonlyMap<string, ModelDetails>;
    }
  | { readonly kind: 'failed'; readonly message: string; readonly retryAfterMs: number | null };

export async function readList(
  source: FeedSource,
  provider: ProviderConfig,
  earlier: Earlier,
  signal: AbortSignal,
): Promise<Reading> {
  const reply = await source.ask(provider, { path: pathAt(provider, '/models'), signal });
  if (reply.kind === 'failed') return reply;
  const hash = createHash('sha256').update(reply.bytes).digest('hex');
  const unchanged = hash === earlier.hash;
  if (unchanged && provider.kind !== 'ollama') {
    return { kind: 'read', hash, feed: null, details: earlier.details };
  }
  const body = parse(reply.bytes);
  if ('wrong' in body) return failed(body.wrong);
  const feed = readFeed(provider.kind, body.value);
  if ('wrong' in feed) return failed(feed.wrong);
  if (provider.kind !== 'ollama') return { kind: 'read', hash, feed, details: new Map() };
  const details = await detailsOf(source, provider, feed, earlier.details, signal);
  const isNews = !unchanged || details.size !== earlier.details.size;
  return { kind: 'read', hash, feed: isNews ? withDetails(feed, details) : null, details };
}

/** A node's word on what the key has left, msat; what it holds for running requests is not in it. */
export async function readBalance(
  source: FeedSource,
  provider: ProviderConfig,
  signal: AbortSignal,
): Promise<{ readonly msat: number } | { readonly wrong: string }> {
  const reply = await source.ask(provider, { path: pathAt(provider, '/balance/info'), signal });
  if (reply.kind === 'failed') return { wrong: reply.message };
  const body = parse(reply.bytes);
  if ('wrong' in body) return body;
  const balance = isObject(body.value) ? body.value.balance : undefined;
  const isAmount =
    typeof balance === 'number' && Number.isInteger(balance) && balance <= BALANCE_MSAT_MAX;
  // Below zero is what a node says of a key that it let overdraw.
  return isAmount ? { msat: Math.max(0, balance) } : { wrong: 'does not say a balance in msat' };
}

/** Models that were seen before keep their details: a model of one name and age does not change. */
async function detailsOf(
  source: FeedSource,
  provider: ProviderConfig,
  { models }: Feed,
  earlier: ReadonlyMap<string, ModelDetails>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ModelDetails>> {
  const details = new Map<string, ModelDetails>();
  let asked = 0;
  for (const { id } of models) {
    const known = earlier.get(id);
    if (known !== undefined) details.set(id, known);
    else if (asked < DETAILS_MAX) {
      asked++;
      const reply = await source.ask(provider, {
        // Ollama's own API stands beside its "/v1".
        path: pathAt(provider, '/api/show').replace(/\/v1(?=\/api\/show$)/, ''),
        body: { model: id },
        signal,
      });
      // An older Ollama, or something that only looks like one: what its models can do is not known.
      if (reply.kind === 'failed') break;
      const body = parse(reply.bytes);
      const read = 'wrong' in body ? null : readOllamaDetails(body.value);
      if (read !== null) details.set(id, read);
    }
  }
  return details;
}

const withDetails = (feed: Feed, details: ReadonlyMap<string, ModelDetails>): Feed => ({
  ...feed,
  models: feed.models.map((model): FeedModel => ({ ...model, ...details.get(model.id) })),
});

/** The provider's address is the base, which ends before "/chat/completions". */
const pathAt = ({ url }: ProviderConfig, path: string): string =>
  new URL(url).pathname.replace(/\/+$/, '') + path;

const parse = (bytes: Buffer) =>
  parseBounded(bytes, { containers: CONTAINERS_MAX, parts: PARTS_MAX });

const failed = (message: string): Reading => ({ kind: 'failed', message, retryAfterMs: null });
