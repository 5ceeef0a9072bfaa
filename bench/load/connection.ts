/** One keep-alive connection with one request under way. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { AnswerReader } from './answer-reader.ts';
import type { Shot } from './job.ts';

export interface Timed {
  /** `performance.now()` at the first byte of the body and at the last. */
  readonly firstByteMs: number;
  readonly endMs: number;
}

interface Expected {
  readonly reader: AnswerReader;
  readonly streamed: boolean;
  firstByteMs: number;
  resolve(timed: Timed): void;
  reject(error: Error): void;
}

const OK = 200;

export class Connection {
  readonly #socket: Socket;
  #expected: Expected | null = null;

  static async open(port: number): Promise<Connection> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    return new Connection(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#onData(bytes));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection was closed')));
  }

  /** Rejects unless the answer is 200, and whole where it is a stream. */
  send(request: string, streamed: boolean): Promise<Timed> {
    return new Promise((resolve, reject) => {
      this.#expected = { reader: new AnswerReader(), streamed, firstByteMs: 0, resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #onData(bytes: Buffer): void {
    const expected = this.#expected;
    try {
      if (expected === null) throw new Error('an answer that nobody asked for');
      const whole = expected.reader.read(bytes);
      if (expected.firstByteMs === 0 && expected.reader.inBody) {
        expected.firstByteMs = performance.now();
      }
      if (!whole) return;
      check(expected);
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    this.#expected = null;
    expected.resolve({ firstByteMs: expected.firstByteMs, endMs: performance.now() });
  }

  #fail(error: Error): void {
    this.#expected?.reject(error);
    this.#expected = null;
    this.#socket.destroy();
  }
}

function check({ reader, streamed }: Expected): void {
  if (reader.status !== OK) throw new Error(`status ${reader.status}: ${reader.text}`);
  if (streamed && !reader.tail.includes('[DONE]')) {
    throw new Error(`a stream without its end: ${reader.text}`);
  }
}

/** A request as its bytes; ASCII only, so that characters are bytes. */
export function requestText({ path, headers, body }: Shot): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n${lines.join('')}content-length: ${body.length}\r\n\r\n${body}`;
}
