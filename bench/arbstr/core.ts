/** A real core process in front of our provider, free or billed. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../examples/demo/free-port.ts';
import { type Child, startChild, untilHealthy } from '../child.ts';
import { MODELS } from '../prompts.ts';
import type { RunningVault } from './vault.ts';

export interface RunningCore {
  readonly child: Child;
  readonly port: number;
  readonly url: string;
}

export interface CoreOptions {
  readonly name: string;
  readonly core: number;
  readonly folder: string;
  readonly providerPort: number;
  /** null = free mode. */
  readonly vault: RunningVault | null;
  readonly nodeArgs?: readonly string[];
}

const START_MS = 30_000;

export async function startCore(options: CoreOptions): Promise<RunningCore> {
  const { name, core, folder, nodeArgs = [] } = options;
  const port = await freePort();
  const config = join(folder, `${name}.toml`);
  writeFileSync(config, configText(options));
  const child = startChild({
    name,
    script: 'packages/core/src/main.ts',
    args: ['serve', '-c', config, '-l', `127.0.0.1:${port}`],
    nodeArgs,
    core,
    folder,
  });
  const url = `http://127.0.0.1:${port}`;
  await untilHealthy(child, `${url}/health`, START_MS);
  return { child, port, url };
}

/** Everything that is not named keeps its default, the log line per request included. */
function configText({ name, folder, providerPort, vault }: CoreOptions): string {
  const models = [...new Set(Object.values(MODELS))].map((model) => JSON.stringify(model));
  const billing =
    vault === null
      ? ''
      : `[vault]
url = "${vault.url}"
internal_token = "${vault.internalToken}"
`;
  return `[database]
path = ${JSON.stringify(join(folder, `${name}.db`))}

${billing}
[[providers]]
name = "alpha"
url = "http://127.0.0.1:${providerPort}/v1"
api_key = "bench"
models = [${models.join(', ')}]
input_rate = 8000
output_rate = 8000
`;
}

const DELIVER_MS = 10_000;
const POLL_MS = 20;

/** Until every bill has reached the vault, so that their work counts for the requests they belong to. */
export async function untilDelivered(core: RunningCore): Promise<void> {
  const untilMs = Date.now() + DELIVER_MS;
  for (;;) {
    const answer = await fetch(`${core.url}/health`);
    const { undelivered_settlements: left } = (await answer.json()) as Record<string, unknown>;
    if (left === 0) return;
    if (Date.now() > untilMs) throw new Error(`${left} settlements are still not delivered`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
