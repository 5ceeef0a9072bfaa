/**
 * The snapshot that requests see, and how a new one comes about. A new configuration is adopted
 * whole or not at all; what it replaced lives on until the requests that still use it are through.
 */
import type { Config, ProviderConfig } from '../config/types.ts';
import { type Feeds, isSameSeller } from '../feed/feeds.ts';
import { sellersOf } from '../route/sellers.ts';
import type { Snapshot } from './snapshot.ts';

/** What the catalogue needs of the parts that know providers by name or address. */
export interface CatalogueDeps {
  /** Starts the mocks among them; answers all, each with its address. */
  addressed(providers: readonly ProviderConfig[]): Promise<readonly ProviderConfig[]>;
  /** Ends mocks and connections that none of these needs. */
  retain(providers: readonly ProviderConfig[]): Promise<void>;
  /** What was learned about a provider says nothing about another one of the same name. */
  forget(provider: string): void;
  readonly feeds: Pick<Feeds, 'follow' | 'apply'>;
  onError(error: unknown, message: string): void;
}

export interface Catalogue {
  current(): Snapshot;
  /** Rejects, and leaves everything as it was, where a mock cannot be started. */
  adopt(config: Config): Promise<void>;
  /** Takes what the feeds say now. */
  refresh(): void;
  stop(): void;
}

/** A request that chose from a snapshot is under way to its provider so long after it was replaced. */
const RETIRE_AFTER_MS = 30_000;

export async function createCatalogue(first: Config, deps: CatalogueDeps): Promise<Catalogue> {
  const { feeds } = deps;
  /** As configured, without what feeds say. */
  let configured = await deps.addressed(first.providers);
  feeds.follow(configured);
  let snapshot = indexed(first, feeds.apply(first, configured));
  /** Replaced so lately that requests may still choose from them, with the timer that ends that. */
  const replaced = new Map<readonly ProviderConfig[], NodeJS.Timeout>();

  function retireLater(providers: readonly ProviderConfig[]): void {
    const retire = (): void => {
      replaced.delete(providers);
      deps.retain([configured, ...replaced.keys()].flat()).catch((error: unknown) => {
        deps.onError(error, 'connections of providers that are gone could not be ended');
      });
    };
    replaced.set(providers, setTimeout(retire, RETIRE_AFTER_MS).unref());
  }

  return {
    current: () => snapshot,
    async adopt(config) {
      const before = configured;
      configured = await deps.addressed(config.providers);
      feeds.follow(configured);
      snapshot = indexed(config, feeds.apply(config, configured));
      for (const name of changed(before, configured)) deps.forget(name);
      retireLater(before);
    },
    refresh() {
      const { config, providers } = snapshot;
      const next = feeds.apply(config, configured);
      // To index thousands of prices takes long: not for each list that says what it did before.
      if (next.some((provider, nth) => provider !== providers[nth])) {
        snapshot = indexed(config, next);
      }
    },
    stop() {
      for (const timer of replaced.values()) clearTimeout(timer);
    },
  };
}

/** Indexed here, so that no request has to wait for it. */
function indexed(config: Config, providers: readonly ProviderConfig[]): Snapshot {
  sellersOf(providers);
  return { config, providers };
}

/** Names whose breaker means nothing any more: gone, or somebody else behind them. */
function changed(before: readonly ProviderConfig[], after: readonly ProviderConfig[]): string[] {
  const now = new Map(after.map((provider) => [provider.name, provider]));
  return before.flatMap((old) => {
    const same = now.get(old.name);
    return same !== undefined && isSameSeller(same, old) ? [] : [old.name];
  });
}
