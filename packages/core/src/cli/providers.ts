/**
 * `providers`: who sells what, for how much. Prices are those that callers pay, markup included. Feeds
 * are read once for it.
 */
import { formatSats, type Msat } from '@arbstr/shared';
import type { Config, Offer, ProviderConfig } from '../config/types.ts';
import { createFeeds, type Feeds } from '../feed/feeds.ts';
import type { FeedSource } from '../ports.ts';
import type { Rates } from '../pricing/rate.ts';
import { createFeedClient } from '../upstream/feed-client.ts';
import { type CommandInput, type CommandResult, loadFile, succeeded } from './command.ts';

/** A feed is given up after 10 s by itself; Ollama is asked several questions. */
const READING_MS = 30_000;
/** Models that are not sold; a running core shows more. */
const UNROUTABLE_SHOWN = 10;

export async function providers(
  input: CommandInput,
  source: FeedSource = createFeedClient(),
): Promise<CommandResult> {
  const found = loadFile(input);
  if ('code' in found) return found;
  const { config } = found.loaded;
  if (config.providers.length === 0) return succeeded('No providers configured.\n');
  const feeds = createFeeds({
    source,
    nowMs: Date.now,
    random: Math.random,
    log: { warn() {}, info() {} },
    onChange() {},
  });
  try {
    return succeeded(await listed(config, feeds));
  } finally {
    feeds.stop();
    await source.close();
  }
}

async function listed(config: Config, feeds: Feeds): Promise<string> {
  feeds.follow(config.providers);
  await feeds.ready(READING_MS);
  const all = feeds.apply(config, config.providers);
  return `Configured providers:\n${all.map((provider) => describe(provider, feeds)).join('')}`;
}

function describe(provider: ProviderConfig, feeds: Feeds): string {
  const { name, kind, url, endpoints, tier, apiKey, offers } = provider;
  const details = [
    `Models: ${offers.size === 0 ? 'none' : [...offers.keys()].join(', ')}`,
    ...ofFeed(provider, feeds),
    `Tier: ${tier}`,
    `Endpoints: ${[...endpoints].join(', ')}`,
    ...prices([...offers.values()]),
    `Key: ${apiKey === null ? 'none' : apiKey.mask()}`,
  ];
  return [
    `\n  ${name} (${kind === 'mock' ? 'mock' : url})\n`,
    ...details.map((d) => `    ${d}\n`),
  ].join('');
}

function ofFeed({ name }: ProviderConfig, feeds: Feeds): string[] {
  const state = feeds.stateOf(name);
  if (state === null) return [];
  if (state.readAtMs === null) return [`Feed: ${state.lastError?.message ?? 'did not answer'}`];
  const unroutable = feeds.unroutableAt(name);
  const shown = unroutable.slice(0, UNROUTABLE_SHOWN);
  const more = unroutable.length - shown.length;
  return [
    ...(unroutable.length === 0 ? [] : [`Not sold (${unroutable.length}):`]),
    ...shown.map(({ model, reason }) => `  ${model}: ${reason}`),
    ...(more === 0 ? [] : [`  and ${more} more`]),
    ...(state.balanceMsat === null
      ? []
      : [`Balance there: ${formatSats(state.balanceMsat as Msat)} sats`]),
  ];
}

/** One line where all models cost the same, else one for each. */
function prices(offers: readonly Offer[]): string[] {
  const lines = offers.map(({ rates }) => priceLine(rates));
  if (new Set(lines).size <= 1) return lines.slice(0, 1).map((line) => `Rates: ${line}`);
  return ['Rates:', ...offers.map(({ model }, nth) => `  ${model}: ${lines[nth]}`)];
}

function priceLine(rates: Rates): string {
  const cached = rates.cachedInputMsatPerMtok;
  return [
    `${sats(rates.inputMsatPerMtok)} sats/1M input`,
    `${sats(rates.outputMsatPerMtok)} sats/1M output`,
    ...(cached === null ? [] : [`${sats(cached)} sats/1M cached input`]),
    ...(rates.baseFeeMsat === 0 ? [] : [`Base fee: ${formatSats(rates.baseFeeMsat)} sats`]),
  ].join(', ');
}

/** A rate is an integer number of msat, so it prints like an amount. */
const sats = (rateMsat: number): string => formatSats(rateMsat as Msat);
