/**
 * Writes a checkpoint every so often, and keeps the last few files:
 *
 *   tick: due? ▸ hold the ledger against the last file ──contradicts──▶ an error in the log, minute
 *         after minute, and no file is written or removed │ ▸ write ▸ digest to the log ▸ remove
 *         the oldest
 *
 * When the last one was written stands in its name, so that a vault that restarts often does not
 * push the old ones out.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Time } from '../../ports.ts';
import { Rounds } from '../../worker/rounds.ts';
import type { CheckpointExport } from './export.ts';
import type { CheckpointSummary } from './write.ts';

/** A day of hours. A file is some 90 bytes for each agent. */
export const KEPT_MAX = 24;
const TICK_MS = 10_000;
/** After a failure: a full disk may have room again. */
const RETRY_MS = 60_000;
const DRAFT = /^checkpoint-.*\.txt\.draft$/;
const NAME = /^checkpoint-(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d\.\d{3}Z)\.txt$/;

export interface ExporterDeps {
  /** `exportCheckpoint`, away from the event loop; given up, it rejects. */
  readonly exportTo: (
    path: string,
    previous: string | null,
    signal: AbortSignal,
  ) => Promise<CheckpointExport>;
  readonly folder: string;
  /** 0 = never. */
  readonly everyMs: number;
  readonly time: Time;
  readonly log: Logger;
}

export class CheckpointExporter {
  readonly #deps: ExporterDeps;
  readonly #rounds = new Rounds(() => this.#round());
  readonly #stopping = new AbortController();
  #lastMs = 0;
  #dueMs = 0;

  constructor(deps: ExporterDeps) {
    this.#deps = deps;
  }

  /** When the last file was found to say all that there is to say, Unix ms; 0: not yet. */
  get lastMs(): number {
    return this.#lastMs;
  }

  start(): void {
    const { everyMs } = this.#deps;
    if (everyMs === 0) return;
    try {
      this.#lastMs = timeIn(this.#files().at(-1) ?? '');
      this.#dueMs = this.#lastMs + everyMs;
    } catch (error) {
      this.#failed(error);
    }
    this.#rounds.start(TICK_MS);
  }

  /** Gives up what is being written, which may take minutes: the next process writes it anew. */
  stop(): Promise<void> {
    this.#stopping.abort();
    return this.#rounds.stop();
  }

  /** One round, if it is time; never rejects: a later round tries again. */
  tick(): Promise<void> {
    return this.#rounds.tick();
  }

  async #round(): Promise<void> {
    const { exportTo, folder, everyMs, time, log } = this.#deps;
    const now = time.now();
    if (now < this.#dueMs) return;
    this.#dueMs = now + Math.min(everyMs, RETRY_MS);
    try {
      mkdirSync(folder, { recursive: true });
      this.#removeDrafts();
      const last = this.#files().at(-1);
      const previous = last === undefined ? null : join(folder, last);
      const path = join(folder, nameOf(now));
      const outcome = await exportTo(path, previous, this.#stopping.signal);
      if (outcome.did === 'find') {
        log.error(
          { checkpoint: previous, findings: outcome.findings.slice(0, 20) },
          'the ledger contradicts its last audit checkpoint: rows were changed or removed; run verify with it, and keep it (see the runbook)',
        );
        return;
      }
      if (outcome.did === 'write') {
        const { summary, setBackRows, previousUnusable: reason } = outcome;
        if (reason !== null)
          log.warn({ reason }, 'the last audit checkpoint could not be compared');
        if (setBackRows > 0) {
          log.warn(
            { checkpoint: previous, set_back_rows: setBackRows },
            'the ledger was restored from a backup that is older than its last audit checkpoint; if nobody restored it, somebody has set it back',
          );
        }
        logCheckpoint(log, summary, path);
        this.#removeOld();
      }
      this.#lastMs = now;
      this.#dueMs = now + everyMs;
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#failed(error);
    }
  }

  /** The vault serves all the same. */
  #failed(error: unknown): void {
    const { folder, log } = this.#deps;
    log.error({ err: error, folder }, 'no audit checkpoint could be written; trying again');
  }

  /** Oldest first. */
  #files(): string[] {
    try {
      return readdirSync(this.#deps.folder)
        .filter((name) => NAME.test(name))
        .sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  #removeOld(): void {
    const { folder } = this.#deps;
    for (const name of this.#files().slice(0, -KEPT_MAX)) rmSync(join(folder, name));
  }

  /** Of a vault that died while it wrote. */
  #removeDrafts(): void {
    const { folder } = this.#deps;
    for (const name of readdirSync(folder)) {
      if (DRAFT.test(name)) rmSync(join(folder, name), { force: true });
    }
  }
}

/** The line that lets anybody recognise a file later, also where the files were all replaced. */
export function logCheckpoint(log: Logger, summary: CheckpointSummary, path: string | null): void {
  const { ledgerEpoch, at, auditRows, chains, digest, signature } = summary;
  log.info(
    { ledger_epoch: ledgerEpoch, at, audit_rows: auditRows, chains, digest, signature, path },
    'audit checkpoint',
  );
}

const nameOf = (ms: number): string =>
  `checkpoint-${new Date(ms).toISOString().replaceAll(':', '-')}.txt`;

/** 0 where the name tells none. */
const timeIn = (name: string): number => Date.parse(name.replace(NAME, '$1:$2:$3')) || 0;
