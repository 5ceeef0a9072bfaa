/** A seller at a real address: a list of models, chat completions, and what it heard. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Heard {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

export type Route = (response: ServerResponse, heard: Heard) => void;

export interface FakeSeller {
  /** Ends in "/v1". */
  readonly url: string;
  readonly origin: string;
  readonly heard: readonly Heard[];
  /** Answers with JSON from now on; a function does as it likes. */
  on(path: string, answer: object | Route): void;
  count(path: string): number;
  close(): Promise<void>;
}

export async function startFakeSeller(): Promise<FakeSeller> {
  const routes = new Map<string, object | Route>([['/v1/chat/completions', complete]]);
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const call = {
        method: request.method ?? '',
        path: request.url ?? '',
        authorization: request.headers.authorization,
        body,
      };
      heard.push(call);
      const answer = routes.get(call.path);
      if (answer === undefined) response.writeHead(404).end('{}');
      else if (typeof answer === 'function') (answer as Route)(response, call);
      else response.writeHead(200).end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${origin}/v1`,
    origin,
    heard,
    on: (path, answer) => void routes.set(path, answer),
    count: (path) => heard.filter((call) => call.path === path).length,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request) body += String(chunk);
  return body;
}

const complete: Route = (response, { body }) => {
  const { model } = JSON.parse(body) as { model: string };
  const message = { role: 'assistant', content: 'Yes.' };
  response.writeHead(200, { 'content-type': 'application/json' }).end(
    JSON.stringify({
      id: 'c1',
      object: 'chat.completion',
      created: 1,
      model,
      choices: [{ index: 0, message, finish_reason: 'stop' }],
      usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 },
    }),
  );
};
