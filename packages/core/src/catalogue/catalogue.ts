/**
 * The snapshot that requests see, and how a new one comes about. A new configuration is adopted
 * whole or not at all; what it replaced lives on until the requests that still use it are through.
 */
import type { Config, ProviderConfig } from '../config/types.ts';
import type { Snapshot } from './snapshot.ts';

/** What the catalogue needs of the parts that know providers by name or address. */
export interface CatalogueDeps {
  /** Starts the mocks among them; answers all, each with its address. */
  addressed(providers: readonly ProviderConfig[]): Promise<readonly ProviderConfig[]>;
  /** Ends mocks and connections that none of these needs. */
  retain(providers: readonly ProviderConfig[]): Promise<void>;
  /** What was learned about a provider says nothing about another one of the same name. */
  forget(provider: string): void;
  onError(error: unknown, message: string): void;
}

export interface Catalogue {
  current(): Snapshot;
  /** Rejects, and leaves everything as it was, where a mock cannot be started. */
  adopt(config: Config): Promise<void>;
  stop(): void;
}

/** A request that chose from the last snapshot is under way to its provider by then. */
const RETIRE_AFTER_MS = 30_000;

export async function createCatalogue(config: Config, deps: CatalogueDeps): Promise<Catalogue> {
  let snapshot: Snapshot = { config, providers: await deps.addressed(config.providers) };
  let retiring: NodeJS.Timeout | null = null;

  function retireLater(): void {
    if (retiring !== null) clearTimeout(retiring);
    retiring = setTimeout(() => {
      deps.retain(snapshot.providers).catch((error: unknown) => {
        deps.onError(error, 'connections of providers that are gone could not be ended');
      });
    }, RETIRE_AFTER_MS).unref();
  }

  return {
    current: () => snapshot,
    async adopt(next) {
      const providers = await deps.addressed(next.providers);
      const before = snapshot.providers;
      snapshot = { config: next, providers };
      for (const name of changed(before, providers)) deps.forget(name);
      retireLater();
    },
    stop() {
      if (retiring !== null) clearTimeout(retiring);
    },
  };
}

/** Names whose breaker means nothing any more: gone, or another address or key behind them. */
function changed(before: readonly ProviderConfig[], after: readonly ProviderConfig[]): string[] {
  const now = new Map(after.map((provider) => [provider.name, provider]));
  return before.flatMap((old) => {
    const same = now.get(old.name);
    return same !== undefined &&
      same.url === old.url &&
      same.apiKey?.reveal() === old.apiKey?.reveal()
      ? []
      : [old.name];
  });
}
