/**
 * What stands between core and vault: lets everything through until told otherwise, then holds,
 * loses or delays one message, or cuts the whole line. A request that it holds can still be
 * delivered after core has died, and an answer can be lost after the vault has acted on it.
 */
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
  request as sendRequest,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './process.ts';

/** Before the vault has seen it, or after the vault has acted on it. */
export type Side = 'request' | 'answer';

/** A message that waits at the gate. */
export interface Caught {
  /** What core sent, parsed. */
  readonly sent: Readonly<Record<string, unknown>>;
  /** The vault's status; null on the request side. */
  readonly status: number | null;
  /**
   * Goes on its way, to the vault even where core is gone by now. Resolves with the vault's status,
   * or null where the vault did not answer.
   */
  pass(): Promise<number | null>;
  /** Never gets there: core's connection breaks. */
  lose(): void;
}

export interface Trap {
  /** The next message that is caught, in the order of arrival. */
  next(): Promise<Caught>;
  /** Catches nothing more. What has been caught stays with its holder. */
  end(): void;
}

/** What happens to one exchange where nobody holds it. */
export interface Fate {
  readonly delayMs: number;
  readonly lose: Side | null;
}

export interface Gate {
  /** The vault's address as core sees it. */
  readonly url: string;
  trap(side: Side, path: string): Trap;
  /** Breaks every connection; what the vault has been sent, it acts on all the same. */
  reset(): void;
  /** Refuses every connection, from now on or no longer. */
  cut(isCut: boolean): void;
  /** Lets nothing through in either direction, from now on or no longer. */
  pause(isPaused: boolean): void;
  /** Decides on each exchange; null = everything passes. */
  meddle: ((path: string) => Fate) | null;
  /** Everything passes again. */
  open(): void;
  close(): Promise<void>;
}

interface Exchange {
  readonly path: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

interface OpenTrap {
  readonly side: Side;
  readonly path: string;
  readonly caught: Caught[];
}

export async function startGate(vaultUrl: string): Promise<Gate> {
  const traps = new Set<OpenTrap>();
  let isCut = false;
  let isPaused = false;
  const server = createServer((request, response) => {
    response.on('error', () => {});
    void serve(request, response);
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readAll(request);
    if (body === null) return;
    const path = request.url ?? '';
    const exchange: Exchange = { path, request, response, body };
    const fate = gate.meddle?.(path) ?? { delayMs: 0, lose: null };
    if (fate.delayMs > 0) await sleep(fate.delayMs);
    await unpaused();
    if (isCut || fate.lose === 'request') {
      breakOff(response);
      return;
    }
    const trap = trapFor('request', path);
    if (trap !== null) hold(trap, exchange, null, () => deliver(exchange, fate));
    else await deliver(exchange, fate);
  }

  async function deliver(exchange: Exchange, fate: Fate): Promise<number | null> {
    const { path, response } = exchange;
    const answer = await askVault(vaultUrl, exchange);
    await unpaused();
    const trap = trapFor('answer', path);
    if (answer !== null && trap !== null) {
      hold(trap, exchange, answer.status, async () => reply(response, answer));
    } else if (answer === null || fate.lose === 'answer') breakOff(response);
    else reply(response, answer);
    return answer?.status ?? null;
  }

  function trapFor(side: Side, path: string): OpenTrap | null {
    for (const trap of traps) if (trap.side === side && path.startsWith(trap.path)) return trap;
    return null;
  }

  async function unpaused(): Promise<void> {
    while (isPaused) await sleep(10);
  }

  const gate: Gate = {
    url: '',
    trap(side, path) {
      const trap: OpenTrap = { side, path, caught: [] };
      traps.add(trap);
      return {
        async next() {
          await until(
            () => trap.caught.length > 0,
            10_000,
            () => `no ${side} of ${path} came to the gate`,
          );
          return trap.caught.shift()!;
        },
        end: () => void traps.delete(trap),
      };
    },
    reset: () => server.closeAllConnections(),
    cut(now) {
      isCut = now;
      if (now) server.closeAllConnections();
    },
    pause(now) {
      isPaused = now;
    },
    meddle: null,
    open() {
      traps.clear();
      isCut = false;
      isPaused = false;
      gate.meddle = null;
    },
    async close() {
      isPaused = false;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return Object.assign(gate, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
}

function hold(
  trap: OpenTrap,
  { body, response }: Exchange,
  status: number | null,
  pass: () => Promise<number | null>,
): void {
  const sent = body.length === 0 ? {} : (JSON.parse(body.toString()) as Record<string, unknown>);
  trap.caught.push({ sent, status, pass, lose: () => breakOff(response) });
}

function askVault(vaultUrl: string, { path, request, body }: Exchange): Promise<Answer | null> {
  return new Promise((resolve) => {
    const headers: OutgoingHttpHeaders = { ...request.headers, 'content-length': body.length };
    const asking = sendRequest(
      vaultUrl + path,
      { method: request.method ?? 'GET', headers: { ...headers, connection: 'close' } },
      async (answer) => {
        const answered = await readAll(answer);
        const {
          connection: _,
          'keep-alive': __,
          'transfer-encoding': ___,
          ...passed
        } = answer.headers;
        resolve(answered && { status: answer.statusCode ?? 0, headers: passed, body: answered });
      },
    );
    asking.on('error', () => resolve(null));
    asking.end(body);
  });
}

function reply(response: ServerResponse, { status, headers, body }: Answer): number {
  if (!response.destroyed) response.writeHead(status, headers).end(body);
  return status;
}

function breakOff(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

/** null = broken off. */
async function readAll(message: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of message) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } catch {
    return null;
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
