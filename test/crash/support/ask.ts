/**
 * A caller over one plain HTTP connection of its own: sees each byte when it comes, can hang up at
 * any moment, and notices how its answer ended.
 */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Agent, Stack } from '../../support/stack.ts';

export interface Question {
  /** The correlation id, by which the bill is found. */
  readonly id: string;
  readonly agent: Agent;
  readonly stream?: boolean;
  readonly content?: string;
  readonly model?: string;
  readonly maxTokens?: number;
  /** Asked as a Responses request, streamed. */
  readonly asResponses?: boolean;
}

export const QUESTION = 'Say something about the sea, please.';

/** `whole`: to the end, whatever it says. `broken`: the connection ended early. `left`: by us. */
export type Ending = 'whole' | 'broken' | 'left';

export interface Answering {
  readonly id: string;
  /** Null until the head has come. */
  readonly status: number | null;
  /** Bytes of the body so far. */
  readonly bytes: number;
  /** The text of the model so far. */
  readonly text: string;
  /** How much of the text had been read at each moment, oldest first. */
  readonly progress: readonly { readonly atMs: number; readonly chars: number }[];
  /** The answer says that it is complete: a whole completion, or [DONE]. */
  readonly complete: boolean;
  /** What the answer says it cost, msat; null = it does not say. */
  readonly costMsat: number | null;
  /** `error.code` of the body or of an error event. */
  readonly errorCode: string | null;
  readonly ended: Promise<Ending>;
  leave(): void;
  /** Stops reading until `resume`. */
  pause(): void;
  resume(): void;
}

export function ask(stack: Stack, question: Question): Answering {
  const { id, agent, stream = false, content = QUESTION, model = 'gpt-4o', maxTokens } = question;
  const { asResponses = false } = question;
  const body = JSON.stringify({
    model,
    stream,
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
    ...(asResponses ? { input: content } : { messages: [{ role: 'user', content }] }),
  });
  const path = asResponses ? '/v1/responses' : '/v1/chat/completions';
  const sent = request(stack.core.url + path, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${agent.token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-request-id': id,
    },
  });
  const answering = new Reading(id, sent, stream);
  sent.end(body);
  return answering;
}

class Reading implements Answering {
  readonly id: string;
  readonly ended: Promise<Ending>;
  readonly progress: { atMs: number; chars: number }[] = [];
  bytes = 0;
  text = '';
  complete = false;
  costMsat: number | null = null;
  errorCode: string | null = null;
  readonly #request: ClientRequest;
  readonly #streaming: boolean;
  #response: IncomingMessage | null = null;
  #left = false;
  #rest = '';

  constructor(id: string, request: ClientRequest, streaming: boolean) {
    this.id = id;
    this.#request = request;
    this.#streaming = streaming;
    this.ended = new Promise((resolve) => {
      const end = (ending: Ending) => resolve(this.#left ? 'left' : ending);
      request.on('error', () => end('broken'));
      request.on('close', () => end('broken'));
      request.on('response', (response) => {
        this.#response = response;
        const cost = response.headers['x-arbstr-cost-sats'];
        if (typeof cost === 'string') this.costMsat = msatOf(cost);
        response.setEncoding('utf8');
        response.on('data', (text: string) => this.#read(text));
        response.on('error', () => end('broken'));
        response.on('end', () => {
          this.#finish();
          end('whole');
        });
      });
    });
  }

  get status(): number | null {
    return this.#response?.statusCode ?? null;
  }

  leave(): void {
    this.#left = true;
    this.#request.destroy();
  }

  pause(): void {
    this.#response?.pause();
  }

  resume(): void {
    this.#response?.resume();
  }

  #read(text: string): void {
    this.bytes += Buffer.byteLength(text);
    this.#rest += text;
    if (!this.#streaming || this.status !== 200) return;
    const events = this.#rest.split('\n\n');
    this.#rest = events.pop()!;
    for (const event of events) this.#event(event);
    this.progress.push({ atMs: Date.now(), chars: this.text.length });
  }

  #event(raw: string): void {
    const event = raw.replace(/^event: .*\n/, '');
    if (event.startsWith(': arbstr ')) {
      this.costMsat = (JSON.parse(event.slice(9)) as { cost_msats: number }).cost_msats;
    } else if (event === 'data: [DONE]') this.complete = true;
    else if (event.startsWith('data: ')) this.#take(JSON.parse(event.slice(6)) as Body, 'delta');
  }

  /** An answer in one piece. */
  #finish(): void {
    if (this.#streaming && this.status === 200) return;
    this.#take(JSON.parse(this.#rest) as Body, 'message');
    this.complete = this.status === 200;
  }

  #take(body: Body, part: 'delta' | 'message'): void {
    if (body.error !== undefined) this.errorCode = body.error.code;
    if (body.type === 'response.completed') this.complete = true;
    if (body.type === 'response.output_text.delta') this.text += body.delta ?? '';
    this.text += body.choices?.[0]?.[part]?.content ?? '';
  }
}

interface Body {
  /** Of an event of Responses. */
  readonly type?: string;
  readonly delta?: string;
  readonly error?: { readonly code: string | null };
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null };
    readonly message?: { readonly content?: string | null };
  }[];
}

/** "0.12" sats = 120 msat, without a float in between. */
function msatOf(sats: string): number {
  const [whole, fraction = ''] = sats.split('.');
  return Number(whole) * 1000 + Number(fraction.padEnd(3, '0'));
}
