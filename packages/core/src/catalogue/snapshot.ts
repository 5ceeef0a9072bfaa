import type { Config, ProviderConfig } from '../config/types.ts';

/**
 * What requests see: one configuration and its providers with their prices. Immutable and replaced
 * whole, so that a request that took one keeps its prices, whatever is reloaded or refreshed
 * meanwhile. Whoever derives something from it (an index, a list) may key it by `providers`.
 */
export interface Snapshot {
  readonly config: Config;
  /** As configured, with what is known only at run time: addresses of mocks, offers of feeds. */
  readonly providers: readonly ProviderConfig[];
}
