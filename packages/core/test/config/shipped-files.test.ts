import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { readConfigFile } from '../../src/config/config-file.ts';
import { type LoadResult, loadConfig } from '../../src/config/load.ts';

const ROOT = join(import.meta.dirname, '../../../..');
const EXAMPLE = readFileSync(join(ROOT, '.env.example'), 'utf8');
const CONFIG = join(ROOT, 'deploy/config.toml');
const SECRETS = ['VAULT_ADMIN_TOKEN', 'VAULT_INTERNAL_TOKEN'];

const loadShipped = (env: Record<string, string | undefined>, uncomment = false): LoadResult =>
  loadConfig({
    path: CONFIG,
    env,
    readFile: (path) => {
      const { text } = readConfigFile(path);
      // Settings that are commented out have no space after the "#".
      return { text: uncomment ? text.replace(/^#(?=\S)/gm, '') : text, mode: null };
    },
  });

describe('the example files', () => {
  it('serve three mocks and a vault once the secrets are there', () => {
    const result = loadShipped({ VAULT_INTERNAL_TOKEN: 'x'.repeat(64) });
    expect(result).toMatchObject({ ok: true, warnings: [] });
    if (!result.ok) return;
    const { providers, vault } = result.config;
    expect(providers.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'alpha mock',
      'beta mock',
      'gamma mock',
    ]);
    expect(vault?.url).toBe('http://localhost:3010');
  });

  it('are valid with every setting that they show', () => {
    const env = {
      VAULT_INTERNAL_TOKEN: 'x'.repeat(64),
      OPENAI_API_KEY: 'k',
      ROUTSTR_KEY: 'k',
      ARBSTR_AUTH_TOKEN: 'a',
    };
    const result = loadShipped(env, true);
    expect(result).toMatchObject({ ok: true, warnings: [] });
    expect(result.ok && result.config.providers).toHaveLength(5);
    expect(result.ok && result.config.markupPpm).toBe(50_000);
  });

  it('hold no secret, only placeholders, and those are refused', () => {
    const env = parseEnv(EXAMPLE);
    for (const name of SECRETS) expect(env[name]).toBe('change-me');
    const result = loadShipped(env);
    expect(!result.ok && result.problems.map(({ message }) => message)).toEqual([
      'internal_token is still the placeholder of .env.example; run the line that is written there',
    ]);
  });

  it.skipIf(process.platform === 'win32')('name one line that makes the secrets', () => {
    const folder = mkdtempSync(join(tmpdir(), 'arbstr-env-'));
    try {
      copyFileSync(join(ROOT, '.env.example'), join(folder, '.env'));
      const line = EXAMPLE.split('\n').find((text) => text.includes('/dev/urandom'));
      execFileSync('sh', ['-c', line!.replace(/^#\s*/, '')], { cwd: folder });
      const env = parseEnv(readFileSync(join(folder, '.env'), 'utf8'));
      for (const name of SECRETS) expect(env[name]).toMatch(/^[0-9a-f]{64}$/);
      expect(env[SECRETS[0]!]).not.toBe(env[SECRETS[1]!]);
      expect(statSync(join(folder, '.env')).mode & 0o777).toBe(0o600);
      expect(loadShipped(env).ok).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
