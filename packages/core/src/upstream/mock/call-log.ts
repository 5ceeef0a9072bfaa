import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { MockCall, MockEnding } from './behaviour.ts';

/** Bodies that are remembered, all together. */
const BODY_BYTES_MAX = 32 * 1024 * 1024;
const UNEXPECTED_MAX = 100;

export interface OpenCall extends MockCall {
  sent(events: number): void;
  end(how: MockEnding): void;
}

/** The newest requests of a mock provider, bounded in number and bytes. */
export class CallLog {
  readonly calls: MockCall[] = [];
  readonly unexpected: string[] = [];
  /** Begins the ids of this provider's answers: two mocks in one conversation must not share any. */
  readonly series = `mock${randomBytes(6).toString('hex')}n`;
  readonly #keep: number;
  #count = 0;
  #answers = 0;
  #bytes = 0;

  constructor(keep: number) {
    this.#keep = keep;
  }

  get count(): number {
    return this.#count;
  }

  /** Requests for an answer so far, this one included. */
  nextAnswer(): number {
    return ++this.#answers;
  }

  open(request: IncomingMessage, body: Buffer): OpenCall {
    const call = openCall(request, body, ++this.#count);
    if (this.#keep > 0) this.#remember(call);
    return call;
  }

  refuse(route: string): void {
    if (this.unexpected.length < UNEXPECTED_MAX) this.unexpected.push(route);
  }

  #remember(call: MockCall): void {
    this.calls.push(call);
    this.#bytes += call.body.length;
    while (
      this.calls.length > 1 &&
      (this.calls.length > this.#keep || this.#bytes > BODY_BYTES_MAX)
    ) {
      this.#bytes -= this.calls.shift()!.body.length;
    }
  }
}

function openCall(request: IncomingMessage, body: Buffer, nth: number): OpenCall {
  const { method = '', url = '', headers, rawHeaders } = request;
  const { promise: ended, resolve } = Promise.withResolvers<MockEnding>();
  let state: MockCall['state'] = 'running';
  let chunksSent = 0;
  return {
    nth,
    method,
    path: url.replace(/\?.*$/, ''),
    headers,
    rawHeaders,
    body,
    json: parseJson(body),
    ended,
    get state() {
      return state;
    },
    get chunksSent() {
      return chunksSent;
    },
    sent(events) {
      chunksSent += events;
    },
    end(how) {
      state = how;
      resolve(how);
    },
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
