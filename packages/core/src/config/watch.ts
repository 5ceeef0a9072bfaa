/**
 * Follows the configuration file while core runs. The file is read every second and compared by its
 * content: that sees an editor that renames, a symbolic link that is swapped (Kubernetes), a copy
 * with an old time stamp, and a network disk, none of which change notifications see reliably.
 *
 * A new content counts when it is read twice alike: a file that is still being written would
 * otherwise be taken half, and half a file may be valid.
 */
import { type ConfigFile, readConfigFile } from './config-file.ts';

export interface WatchOptions {
  readonly path: string;
  /** As it was read at the start. */
  readonly text: string;
  /** Takes a new content; never throws. */
  readonly onChange: (file: ConfigFile) => Promise<void>;
  /** The file cannot be read; said once per reason. */
  readonly onUnreadable: (reason: string) => void;
  readonly read?: (path: string) => ConfigFile;
  readonly pollMs?: number;
}

export interface ConfigWatch {
  /** Reads the file now and takes it, changed or not; at SIGHUP. */
  reload(): Promise<void>;
  stop(): void;
}

/** Operators are promised 5 s; a few kilobytes per second cost nothing. */
const POLL_MS = 1_000;

type Reading = { readonly file: ConfigFile } | { readonly unreadable: string };

export function watchConfig(options: WatchOptions): ConfigWatch {
  const { path, onChange, onUnreadable, read = readConfigFile, pollMs = POLL_MS } = options;
  /** What was last given to `onChange`, or last complained about. */
  let taken = options.text;
  let complained: string | null = null;
  /** Read once, and waiting to be read alike a second time. */
  let seen: Reading | null = null;
  /** One content after the other: a slow one must not be overtaken by an older. */
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;

  function readNow(): Reading {
    try {
      const file = read(path);
      // An empty file is a valid configuration that drops every provider; it is a write that failed.
      return isBlank(file.text) && !isBlank(taken) ? { unreadable: EMPTY } : { file };
    } catch (error) {
      return { unreadable: (error as Error).message };
    }
  }

  function take(reading: Reading): Promise<void> {
    seen = null;
    if ('unreadable' in reading) {
      complained = reading.unreadable;
      onUnreadable(reading.unreadable);
      return turn;
    }
    complained = null;
    taken = reading.file.text;
    turn = turn.then(() => (stopped ? undefined : onChange(reading.file)));
    return turn;
  }

  function poll(): void {
    const reading = readNow();
    const isNews =
      'unreadable' in reading
        ? reading.unreadable !== complained
        : reading.file.text !== taken || complained !== null;
    if (!isNews) seen = null;
    else if (seen !== null && contentOf(seen) === contentOf(reading)) void take(reading);
    else seen = reading;
  }

  const timer = setInterval(poll, pollMs).unref();
  return {
    reload: () => take(readNow()),
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}

const isBlank = (text: string): boolean => text.trim() === '';

const EMPTY = 'the file is empty; write the configuration into it again';

const contentOf = (reading: Reading): string =>
  'unreadable' in reading ? `unreadable ${reading.unreadable}` : `file ${reading.file.text}`;
