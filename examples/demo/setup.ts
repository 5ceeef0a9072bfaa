/** What the demo's core and vault run on: a throw-away folder, fresh secrets, three mock sellers. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DemoError } from './demo-error.ts';
import type { DemoOptions } from './options.ts';

export interface Setup {
  readonly folder: string;
  readonly configPath: string;
  readonly vaultDatabasePath: string;
  readonly coreUrl: string;
  readonly vaultUrl: string;
  readonly adminToken: string;
  readonly internalToken: string;
  remove(): void;
}

/** Sats per 1,000 tokens, prompt and answer alike; so 8 is 8 msat for each token. */
export const PRICES = { alpha: 8, beta: 12, gamma: 10 } as const;
export const MODEL = 'gpt-4o-mini';
const MODELS = [MODEL, 'gpt-4o'];
/** Slow enough to be seen streaming. */
const TOKENS_PER_SEC = 40;
/** What a live stream gets after Ctrl-C. */
export const DRAIN_SECS = 5;

export function prepare(options: DemoOptions): Setup {
  const folder = makeFolder();
  const configPath = join(folder, 'config.toml');
  const vaultUrl = `http://127.0.0.1:${options.vaultPort}`;
  writeFileSync(configPath, configText(options, folder, vaultUrl), { mode: 0o600 });
  return {
    folder,
    configPath,
    vaultDatabasePath: join(folder, 'vault.db'),
    coreUrl: `http://127.0.0.1:${options.corePort}`,
    vaultUrl,
    adminToken: randomBytes(32).toString('hex'),
    internalToken: randomBytes(32).toString('hex'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function makeFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'arbstr-demo-'));
  } catch (error) {
    throw new DemoError(
      `cannot write in ${tmpdir()} (${(error as NodeJS.ErrnoException).code}): set TMPDIR to a folder where you may`,
    );
  }
}

function configText({ corePort }: DemoOptions, folder: string, vaultUrl: string): string {
  const providers = Object.entries(PRICES).map(
    ([name, satsPerKtok]) => `
[[providers]]
name = "${name}"
kind = "mock"
models = ${JSON.stringify(MODELS)}
endpoints = ["chat", "responses", "completions", "embeddings"]
input_rate = ${satsPerKtok * 1000}
output_rate = ${satsPerKtok * 1000}
mock = { tokens_per_sec = ${TOKENS_PER_SEC} }
`,
  );
  return `[server]
listen = "127.0.0.1:${corePort}"
drain_secs = ${DRAIN_SECS}

[database]
path = ${JSON.stringify(join(folder, 'core.db'))}

[vault]
url = "${vaultUrl}"
internal_token = "\${VAULT_INTERNAL_TOKEN}"
${providers.join('')}`;
}
