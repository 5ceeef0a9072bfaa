/** How our own servers tell the harness where they listen, and how they end with it. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Child, messageOf, startChild } from '../child.ts';

export interface Listening {
  readonly port: number;
}

/** In the server's process. */
export function serve(server: Server): void {
  server.listen(0, '127.0.0.1', () => {
    process.send!({ port: (server.address() as AddressInfo).port } satisfies Listening);
  });
}

export interface Target {
  readonly child: Child;
  readonly port: number;
}

const START_MS = 20_000;

/** In the harness: one of the scripts beside this one. */
export async function startServer(
  name: string,
  core: number,
  folder: string,
  args: readonly string[] = [],
): Promise<Target> {
  const script = `bench/servers/${name}.ts`;
  const child = startChild({ name, script, args, core, folder });
  const { port } = await messageOf<Listening>(child, START_MS);
  return { child, port };
}
