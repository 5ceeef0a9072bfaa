/**
 * A provider at the socket: it reads one HTTP request and then writes whatever bytes a test wants, so
 * that it can do what no HTTP library would.
 */

import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';

export interface FaultyRequest {
  /** The first segment of the path: which script answers. */
  readonly name: string;
  /** Counted from 1, per name. */
  readonly nth: number;
  readonly headers: string;
  readonly body: string;
  readonly atMs: number;
}

export type Script = (socket: Socket, request: FaultyRequest) => void;

export interface FaultyUpstream {
  /** The base URL of the provider whose answers come from `scripts[name]`. */
  urlOf(name: string): string;
  readonly port: number;
  callsOf(name: string): readonly FaultyRequest[];
  close(): Promise<void>;
}

export async function startFaultyUpstream(
  scripts: Readonly<Record<string, Script>>,
): Promise<FaultyUpstream> {
  const calls: FaultyRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Whoever hangs up on a faulty provider is right.
    socket.on('error', () => {});
    let received = '';
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
      const read = readRequest(received);
      if (read === null) return;
      received = received.slice(read.length);
      const nth = calls.filter(({ name }) => name === read.name).length + 1;
      const request = { ...read, nth, atMs: Date.now() };
      calls.push(request);
      const script = scripts[read.name];
      if (script === undefined) throw new Error(`no script for ${read.name}`);
      script(socket, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    urlOf: (name) => `http://127.0.0.1:${port}/${name}/v1`,
    port,
    callsOf: (name) => calls.filter((call) => call.name === name),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** null = not whole yet. */
function readRequest(received: string) {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const headers = received.slice(0, end);
  const bytes = Number(/^content-length: *(\d+)/im.exec(headers)?.[1] ?? 0);
  const length = end + 4 + bytes;
  if (received.length < length) return null;
  const name = /^POST \/([^/ ]+)\//.exec(headers)?.[1] ?? '';
  return { name, headers, body: received.slice(end + 4, length), length };
}

// ── What such a provider says ────────────────────────────────────────────────────────────────────

/** An answer whose body ends with the connection. */
export const head = (status = 200, headers = ''): string =>
  `HTTP/1.1 ${status} X\r\ncontent-type: text/event-stream\r\n${headers}connection: close\r\n\r\n`;

export function jsonAnswer(status: number, body: object, headers = ''): string {
  const text = JSON.stringify(body);
  return `HTTP/1.1 ${status} X\r\ncontent-type: application/json\r\n${headers}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

export const refusal = (status: number, headers = '', error: object = {}): string =>
  jsonAnswer(status, { error: { message: `It is ${status}.`, type: 'x', ...error } }, headers);

export const chunkOf = (choice: object, more: object = {}): string =>
  `data: ${JSON.stringify({
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta: {}, finish_reason: null, ...choice }],
    ...more,
  })}\n\n`;

export const word = (text: string): string => chunkOf({ delta: { content: text } });
export const FINISH = chunkOf({ finish_reason: 'stop' });
export const DONE = 'data: [DONE]\n\n';
export const usageChunk = (prompt: number, completion: number): string =>
  `data: ${JSON.stringify({
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [],
    usage: {
      prompt_tokens: prompt,
      completion_tokens: completion,
      total_tokens: prompt + completion,
    },
  })}\n\n`;
