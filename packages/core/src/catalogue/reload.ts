/**
 * A changed configuration file, taken while requests run: a valid one is adopted whole, an invalid
 * one is refused with its reasons and the old one stays.
 */
import type { Logger } from 'pino';
import { formatFinding } from '../config/findings.ts';
import type { LoadResult } from '../config/load.ts';
import type { Config } from '../config/types.ts';
import type { Catalogue } from './catalogue.ts';
import { keepFixed } from './needs-restart.ts';

/** What became of the file as it is now. */
export interface ConfigState {
  /** Set while the file differs from what runs because it is wrong. */
  readonly refused: { readonly since: string; readonly reasons: readonly string[] } | null;
  /** Keys whose new value waits for a restart. */
  readonly needsRestart: readonly string[];
}

export const CONFIG_UNCHANGED: ConfigState = { refused: null, needsRestart: [] };

/** Shown of a file that is wrong everywhere; `check` shows the rest. */
const REASONS_MAX = 20;

export interface ReloadDeps {
  readonly path: string;
  readonly catalogue: Catalogue;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly nowMs: () => number;
  /** What follows from a new configuration outside of the catalogue (the level of the log). */
  readonly onAdopted: (config: Config) => void;
}

export interface Reload {
  state(): ConfigState;
  take(loaded: LoadResult): Promise<void>;
  refuse(reasons: readonly string[]): void;
}

export function createReload(deps: ReloadDeps): Reload {
  const { path, catalogue, log } = deps;
  let state = CONFIG_UNCHANGED;

  function refuse(reasons: readonly string[]): void {
    const since = new Date(deps.nowMs()).toISOString();
    state = { ...state, refused: { since, reasons: reasons.slice(0, REASONS_MAX) } };
    log.error(
      { file: path, reasons: reasons.slice(0, REASONS_MAX) },
      'the changed configuration is refused and the old one stays; correct the file',
    );
  }

  return {
    state: () => state,
    refuse,
    async take(loaded) {
      if (!loaded.ok) {
        refuse(loaded.problems.map((problem) => formatFinding(path, problem)));
        return;
      }
      for (const warning of loaded.warnings) log.warn(formatFinding(path, warning));
      const { config, needsRestart } = keepFixed(catalogue.current().config, loaded.config);
      try {
        await catalogue.adopt(config);
      } catch (error) {
        refuse([`a provider could not be started: ${(error as Error).message}`]);
        return;
      }
      state = { refused: null, needsRestart };
      deps.onAdopted(config);
      if (needsRestart.length > 0) {
        log.warn(
          { file: path, keys: needsRestart },
          'needs a restart: these changed keys keep their running values until core is started again',
        );
      }
      log.info({ file: path, providers: config.providers.length }, 'configuration reloaded');
    },
  };
}
