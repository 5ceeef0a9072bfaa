/** Does the steps of an answer on a real response. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { MockEnding } from './behaviour.ts';
import type { Step } from './step.ts';

/** `signal`: the connection is gone, whoever ended it; every wait ends with it. */
export async function play(
  steps: readonly Step[],
  response: ServerResponse,
  signal: AbortSignal,
  onEvents: (count: number) => void,
): Promise<MockEnding> {
  try {
    for (const step of steps) {
      signal.throwIfAborted();
      if (step.do === 'cut') {
        await cut(response, step.how);
        return 'cut';
      }
      await perform(step, response, signal);
      if (step.do === 'write') onEvents(step.events ?? 0);
    }
    response.end();
    await once(response, 'finish', { signal });
    return 'answered';
  } catch (error) {
    if (signal.aborted || response.destroyed) return 'client_gone';
    throw error;
  }
}

async function perform(
  step: Exclude<Step, { do: 'cut' }>,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  switch (step.do) {
    case 'head':
      response.writeHead(step.status, step.headers);
      response.flushHeaders();
      return;
    case 'write':
      return write(response, step.data, signal);
    case 'wait':
      return step.ms === 0
        ? setImmediate(undefined, { signal })
        : sleep(step.ms, undefined, { signal });
    case 'stall':
      await once(signal, 'abort');
      return;
    case 'flood':
      for (;;) await write(response, step.data, signal);
    case 'drip':
      return drip(response, step.intervalMs, signal);
  }
}

async function write(
  response: ServerResponse,
  data: string | Buffer,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (data.length > 0 && !response.write(data)) await once(response, 'drain', { signal });
}

/** Past `response`, which would wait for its header block to be whole. */
async function drip(response: ServerResponse, intervalMs: number, signal: AbortSignal) {
  response.socket?.write('HTTP/1.1 200 OK\r\n');
  for (let nth = 1; ; nth++) {
    signal.throwIfAborted();
    response.socket?.write(`x-drip-${nth}: a\r\n`);
    await sleep(intervalMs, undefined, { signal });
  }
}

/** What was written leaves first: a reset that overtook it would be another fault. */
async function cut(response: ServerResponse, how: 'fin' | 'rst'): Promise<void> {
  const { socket } = response;
  if (socket === null) return;
  if (response.headersSent) await new Promise<void>((resolve) => socket.write('', () => resolve()));
  if (how === 'rst') socket.resetAndDestroy();
  else socket.destroySoon();
}
