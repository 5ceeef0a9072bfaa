/** The operator's webhook receiver as a real HTTP server that can be told to misbehave. */
import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export const WEBHOOK_SECRET = 'webhook-secret-of-the-tests';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  // Tests look into events freely.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly event: any;
}

export type Behaviour = (response: ServerResponse, received: Received) => void;

export interface WebhookReceiver {
  readonly url: string;
  readonly received: Received[];
  /** Names of the events, in the order in which they came. */
  names(): string[];
  /** From now on; `ok` answers 200. */
  behave(how: Behaviour): void;
  /** Nobody listens any more; `up` listens again, on the same port. */
  down(): Promise<void>;
  up(): Promise<void>;
}

export const ok: Behaviour = (response) => response.writeHead(200).end();
export const answering =
  (status: number): Behaviour =>
  (response) =>
    response.writeHead(status).end();

const open: { down(): Promise<void> }[] = [];

export async function startReceiver(): Promise<WebhookReceiver> {
  const received: Received[] = [];
  let how = ok;
  let server: Server;
  let port = 0;
  const up = async () => {
    server = createServer(async (request, response) => {
      const body = (await buffer(request)).toString();
      const got = { headers: request.headers, body, event: JSON.parse(body) };
      received.push(got);
      how(response, got);
    });
    await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
    ({ port } = server.address() as AddressInfo);
  };
  const down = async () => {
    server.closeAllConnections();
    await new Promise<void>((done) => server.close(() => done()));
  };
  await up();
  open.push({ down });
  return {
    url: `http://127.0.0.1:${port}/hooks?of=vault`,
    received,
    names: () => received.map(({ event }) => event.event),
    behave(next) {
      how = next;
    },
    down,
    up,
  };
}

/** Call in afterEach, after the vaults are closed. */
export async function closeReceivers(): Promise<void> {
  for (const receiver of open.splice(0)) await receiver.down();
}
