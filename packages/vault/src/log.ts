/** Log lines to a file descriptor: one write per turn of the event loop, bounded, never in the way. */
import { writeSync } from 'node:fs';
import { type Logger, pino } from 'pino';

/** Lines kept while whoever reads them is slow; later ones are dropped and counted. */
const PENDING_BYTES_MAX = 4 * 1024 * 1024;
const RETRY_MS = 50;

/** Secrets that could reach a line as part of an object. */
const REDACTED = [
  'authorization',
  '*.authorization',
  '*.*.authorization',
  '["x-internal-token"]',
  '*["x-internal-token"]',
  '*.*["x-internal-token"]',
  'agent_token',
  '*.agent_token',
  'token',
  '*.token',
];

export interface Logs {
  readonly log: Logger;
  /** For lines of fixed fields without secrets, written for every request: nothing is redacted. */
  readonly requestLog: Logger;
}

export function createLogs(level: string, fd: number): Logs {
  const writer = new LineWriter(fd);
  process.on('exit', () => writer.flush());
  const base = { service: 'vault' };
  return {
    log: pino({ level, base, redact: { paths: REDACTED, censor: '[redacted]' } }, writer),
    requestLog: pino({ level, base }, writer),
  };
}

/**
 * What a turn of the loop logs is on the descriptor when the turn ends, and in any case before the
 * process does. A reader that went away (EPIPE) silences the log and stops nothing else.
 */
export class LineWriter {
  readonly #fd: number;
  #pending = '';
  #dropped = 0;
  #scheduled = false;
  #broken = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(line: string): void {
    if (this.#broken) return;
    if (this.#pending.length > PENDING_BYTES_MAX) {
      this.#dropped++;
      return;
    }
    this.#pending += line;
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#writeSoon());
  }

  /** Writes what is pending now, as far as the descriptor takes it. */
  flush(): void {
    let rest = Buffer.from(this.#pending);
    this.#pending = '';
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(this.#fd, rest));
      this.#noteDropped();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') this.#pending = rest.toString();
      else this.#broken = true;
    }
  }

  #writeSoon(): void {
    this.flush();
    this.#scheduled = this.#pending !== '';
    if (this.#scheduled) setTimeout(() => this.#writeSoon(), RETRY_MS).unref();
  }

  #noteDropped(): void {
    if (this.#dropped === 0) return;
    this.#pending = `${JSON.stringify({ level: 40, service: 'vault', lines: this.#dropped, msg: 'log lines were dropped: the reader was too slow' })}\n`;
    this.#dropped = 0;
  }
}
