import type { ServerResponse } from 'node:http';
import type { AnswerHeaders, ClientStream } from '../ports.ts';

/**
 * The caller's side of a streamed answer over node:http. A write that meets a full socket waits for
 * it to drain, for the caller to close, or for `stallMs`, whichever comes first: a caller that takes
 * nothing for so long is gone.
 */
export function createClientStream(
  raw: ServerResponse,
  gone: AbortController,
  stallMs: number,
  headers: AnswerHeaders,
): ClientStream {
  raw.writeHead(200, headers);

  function drained(): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (alive: boolean) => {
        clearInterval(stall);
        raw.off('drain', onDrain);
        gone.signal.removeEventListener('abort', onGone);
        resolve(alive);
      };
      const onDrain = () => finish(true);
      const onGone = () => finish(false);
      let taken = raw.socket?.bytesWritten ?? 0;
      const stall = setInterval(() => {
        const before = taken;
        taken = raw.socket?.bytesWritten ?? 0;
        // Slow is not gone.
        if (taken > before) return;
        gone.abort();
        raw.destroy();
      }, stallMs);
      raw.once('drain', onDrain);
      gone.signal.addEventListener('abort', onGone, { once: true });
    });
  }

  return {
    gone: gone.signal,
    write(bytes) {
      if (gone.signal.aborted) return false;
      return raw.write(bytes) ? true : drained();
    },
    end(bytes) {
      if (gone.signal.aborted) {
        raw.destroy();
        return;
      }
      raw.end(bytes);
      endWithin(raw, stallMs);
    },
  };
}

/** The last bytes get `stallMs` without progress to leave; then the socket goes. */
export function endWithin(raw: ServerResponse, stallMs: number): void {
  raw.setTimeout(stallMs, () => raw.destroy());
}
