/**
 * The feeds of all providers that discover: who is followed, and what they sell by what was last read.
 * A follower belongs to a name, an address and a key; a reload that keeps these keeps what was read.
 */
import { deepFreeze } from '../config/freeze.ts';
import type { Config, ProviderConfig } from '../config/types.ts';
import { agreedMsatPerUsd, impliedMsatPerUsd } from './exchange-rate.ts';
import type { Feed, Unroutable } from './feed.ts';
import { type FeedState, Follower, type FollowerDeps } from './follower.ts';
import { type Listing, listingOf, NOT_READ_YET } from './offers.ts';

export interface Feeds {
  /** Begins, goes on and ends following, as these providers need it. */
  follow(providers: readonly ProviderConfig[]): void;
  /** The same providers with what they sell now. Those that sell what they did before are the same objects. */
  apply(config: Config, providers: readonly ProviderConfig[]): readonly ProviderConfig[];
  /** Resolves when each was read once, well or not, or after so long. */
  ready(timeoutMs: number): Promise<void>;
  /** null = it has no feed. */
  stateOf(provider: string): FeedState | null;
  /** What is not sold, and why. */
  unroutableAt(provider: string): readonly Unroutable[];
  /** What the account there has left, msat; null = not known. */
  balanceMsat(provider: string): number | null;
  /** What a USD costs, integer msat; null = nobody says. */
  msatPerUsd(config: Config): number | null;
  stop(): void;
}

interface Applied {
  readonly from: ProviderConfig;
  readonly feed: Feed | null;
  readonly msatPerUsd: number | null;
  readonly noFeed: string;
  readonly listing: Listing;
  readonly provider: ProviderConfig;
}

export function createFeeds(deps: FollowerDeps): Feeds {
  const followers = new Map<string, Follower>();
  const applied = new Map<string, Applied>();
  /** By the feed that it was computed from. */
  const implied = new WeakMap<Feed, number | null>();

  function impliedBy(feed: Feed): number | null {
    const known = implied.get(feed);
    if (known !== undefined) return known;
    const rate = impliedMsatPerUsd(feed);
    implied.set(feed, rate);
    return rate;
  }

  function msatPerUsd(config: Config): number | null {
    if (config.msatPerUsd !== 'feed') return config.msatPerUsd;
    const rates = [...followers.values()].flatMap(({ feed }) => {
      const rate = feed === null ? null : impliedBy(feed);
      return rate === null ? [] : [rate];
    });
    return agreedMsatPerUsd(rates);
  }

  function applyOne(from: ProviderConfig, config: Config, usd: number | null): ProviderConfig {
    const follower = followers.get(from.name);
    if (from.discovery === null || follower === undefined) return from;
    const { feed } = follower;
    const noFeed = whyNone(follower);
    const before = applied.get(from.name);
    const isSame =
      before !== undefined &&
      before.from === from &&
      before.feed === feed &&
      before.noFeed === noFeed &&
      before.msatPerUsd === usd;
    if (isSame) return before.provider;
    const { markupPpm, virtualModels } = config;
    const order = { provider: from, feed, noFeed, msatPerUsd: usd, markupPpm, virtualModels };
    const listing = listingOf(order);
    const provider = deepFreeze({ ...from, offers: listing.offers });
    applied.set(from.name, { from, feed, noFeed, msatPerUsd: usd, listing, provider });
    return provider;
  }

  return {
    follow(providers) {
      const discovering = providers.filter(({ discovery }) => discovery !== null);
      const kept = new Map(discovering.map((provider) => [provider.name, provider]));
      for (const [name, follower] of followers) {
        const now = kept.get(name);
        if (now !== undefined && isSameSeller(follower.provider, now)) continue;
        follower.stop();
        followers.delete(name);
        applied.delete(name);
      }
      for (const provider of discovering) {
        const follower = followers.get(provider.name);
        if (follower === undefined) followers.set(provider.name, new Follower(provider, deps));
        else follower.goOnWith(provider);
      }
    },
    apply(config, providers) {
      const usd = msatPerUsd(config);
      return providers.map((provider) => applyOne(provider, config, usd));
    },
    async ready(timeoutMs) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs);
      });
      await Promise.race([Promise.all([...followers.values()].map(({ first }) => first)), late]);
      clearTimeout(timer);
    },
    stateOf: (provider) => followers.get(provider)?.state() ?? null,
    unroutableAt: (provider) => applied.get(provider)?.listing.unroutable ?? [],
    balanceMsat: (provider) => followers.get(provider)?.balanceMsat ?? null,
    msatPerUsd,
    stop() {
      for (const follower of followers.values()) follower.stop();
    },
  };
}

/** Why a model without a price of the operator's own has none. */
function whyNone(follower: Follower): string {
  const { standing, lastError } = follower.state();
  switch (standing) {
    case 'expired':
      return 'its feed has not been read for so long that its prices no longer hold';
    case 'failed':
      return `its feed ${lastError?.message ?? 'cannot be read'}`;
    default:
      return NOT_READ_YET;
  }
}

/** What a seller said under another name, address or key says nothing about this one. */
export const isSameSeller = (a: ProviderConfig, b: ProviderConfig): boolean =>
  a.name === b.name &&
  a.url === b.url &&
  a.kind === b.kind &&
  a.apiKey?.reveal() === b.apiKey?.reveal();
