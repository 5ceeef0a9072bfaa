/** What the operator sees of a seller's feed. */
import type { ProviderConfig } from '../config/types.ts';
import type { Feeds } from '../feed/feeds.ts';

/** Of the models that are not sold: the rest is a number. */
const UNROUTABLE_SHOWN = 100;

/** null = it has no feed. */
export function wireFeed({ name, discovery, offers }: ProviderConfig, feeds: Feeds, nowMs: number) {
  const state = feeds.stateOf(name);
  if (state === null || discovery === null) return null;
  const { standing, readAtMs, lastError } = state;
  const unroutable = feeds.unroutableAt(name);
  return {
    state: standing,
    last_success_at: isoOf(readAtMs),
    age_secs: readAtMs === null ? null : Math.max(0, Math.round((nowMs - readAtMs) / 1000)),
    stale: standing === 'stale' || standing === 'expired',
    refresh_secs: discovery.refreshMs / 1000,
    /** "its feed …"; null where the last reading went well. */
    last_error: lastError?.message ?? null,
    last_error_at: isoOf(lastError?.atMs ?? null),
    failures: state.failures,
    models: offers.size,
    unroutable_models: unroutable.length,
    unroutable: unroutable.slice(0, UNROUTABLE_SHOWN),
    balance_msats: state.balanceMsat,
    balance_error: state.balanceError,
  };
}

/** Why nothing is sold, in words; none where something is. */
export function feedReasons({ name, offers }: ProviderConfig, feeds: Feeds): string[] {
  const state = feeds.stateOf(name);
  if (state === null) return [];
  const reasons: string[] = [];
  if (offers.size === 0) {
    const { standing, lastError } = state;
    if (standing === 'pending') reasons.push('its feed has not been read yet');
    else if (lastError !== null) reasons.push(`its feed ${lastError.message}`);
    else reasons.push('no model of its feed has a price that can be used: see unroutable');
  }
  if (state.balanceMsat === 0) reasons.push('the account there is empty');
  return reasons;
}

const isoOf = (atMs: number | null): string | null =>
  atMs === null ? null : new Date(atMs).toISOString();
