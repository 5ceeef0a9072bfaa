import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { loadConfig, loadDatabaseConfig } from '../../src/config/config.ts';
import { NOT_YET_SUPPORTED } from '../../src/config/variables.ts';
import { closeVaults, temporaryFolder } from '../support/vault.ts';

afterEach(closeVaults);

const GOOD = {
  VAULT_ADMIN_TOKEN: 'a'.repeat(32),
  VAULT_INTERNAL_TOKEN: 'b'.repeat(32),
};

function fileWith(text: string): string {
  const file = join(temporaryFolder(), 'secret');
  writeFileSync(file, text);
  return file;
}

test('two secrets are enough', () => {
  expect(loadConfig(GOOD)).toEqual({
    adminToken: GOOD.VAULT_ADMIN_TOKEN,
    internalToken: GOOD.VAULT_INTERNAL_TOKEN,
    host: '127.0.0.1',
    port: 3010,
    databasePath: './data/vault.db',
    auditKey: null,
    auditCheckpointMs: 3_600_000,
    auditCheckpointFolder: './data/vault.db.checkpoints',
    logLevel: 'info',
    agentRateLimitRps: 100,
    payoutDailyCapMsat: 1_000_000_000,
    simulatedWalletScript: null,
    webhook: null,
    networks: ['mainnet', 'testnet', 'signet', 'regtest'],
  });
});

test('an empty variable counts as not set', () => {
  expect(loadConfig({ ...GOOD, PORT: '', HOST: '', AUDIT_KEY: '' }).port).toBe(3010);
});

describe('a secret', () => {
  test.each([
    ['missing', undefined, 'is not set'],
    ['short', 'short', 'at least 32 characters'],
    ['a placeholder', 'change-me-change-me-change-me-change-me', 'placeholder'],
    ['another placeholder', 'REPLACE_WITH_OPENSSL_RAND_HEX_32_______', 'placeholder'],
    ['not printable', `${'a'.repeat(32)} b`, 'printable'],
  ])('that is %s is refused with the command that makes a good one', (_what, value, message) => {
    for (const name of ['VAULT_ADMIN_TOKEN', 'VAULT_INTERNAL_TOKEN'] as const) {
      const load = () => loadConfig({ ...GOOD, [name]: value });
      expect(load).toThrow(name);
      expect(load).toThrow(message);
      expect(load).toThrow('randomBytes');
    }
  });

  test('can come from a file, without its line feed', () => {
    const file = fileWith(`${'c'.repeat(32)}\n`);
    const { VAULT_ADMIN_TOKEN: _, ...rest } = GOOD;
    expect(loadConfig({ ...rest, VAULT_ADMIN_TOKEN_FILE: file }).adminToken).toBe('c'.repeat(32));
  });

  test('from a file that is not there is refused', () => {
    const { VAULT_ADMIN_TOKEN: _, ...rest } = GOOD;
    expect(() => loadConfig({ ...rest, VAULT_ADMIN_TOKEN_FILE: '/nope' })).toThrow(
      'VAULT_ADMIN_TOKEN_FILE cannot be read',
    );
  });

  test('given twice is refused', () => {
    const file = fileWith('x');
    expect(() => loadConfig({ ...GOOD, VAULT_ADMIN_TOKEN_FILE: file })).toThrow('both set');
  });
});

test('checkpoints can be left out, or kept in a folder of their own', () => {
  const said = { ...GOOD, AUDIT_CHECKPOINT_SECS: '0', AUDIT_CHECKPOINT_DIR: '/mnt/c' };
  const { auditCheckpointMs, auditCheckpointFolder } = loadConfig(said);
  expect([auditCheckpointMs, auditCheckpointFolder]).toEqual([0, '/mnt/c']);
});

test.each([
  ['PORT', '70000'],
  ['PORT', 'http'],
  ['LOG_LEVEL', 'loud'],
  ['WALLET_BACKEND', 'lightning'],
  ['WALLET_BACKEND', 'bank'],
  ['AUDIT_KEY', 'short'],
  ['LND_NETWORK', 'moon'],
  ['AUDIT_CHECKPOINT_SECS', '5'],
  ['AUDIT_CHECKPOINT_SECS', '1h'],
])('%s=%s is refused by name', (name, value) => {
  expect(() => loadConfig({ ...GOOD, [name]: value })).toThrow(name);
});

test('one network is all whose invoices are paid', () => {
  expect(loadConfig({ ...GOOD, LND_NETWORK: 'signet' }).networks).toEqual(['signet']);
});

test('several problems are several lines', () => {
  expect(() => loadConfig({ PORT: 'x' })).toThrow(
    /VAULT_ADMIN_TOKEN.*\n.*VAULT_INTERNAL_TOKEN.*\nPORT/,
  );
});

test.each(Object.keys(NOT_YET_SUPPORTED))('%s is not supported yet, and not ignored', (name) => {
  expect(() => loadConfig({ ...GOOD, [name]: 'x' })).toThrow(`${name} is set, but`);
  expect(() => loadConfig({ ...GOOD, [`${name}_FILE`]: 'x' })).toThrow('not supported yet');
});

test('commands on the file need no secrets of the service', () => {
  expect(loadDatabaseConfig({ DATABASE_PATH: 'x.db' })).toEqual({
    databasePath: 'x.db',
    auditKey: null,
  });
});

describe('the webhook', () => {
  const URL = 'http://10.0.0.7:9000/hooks?k=1';
  const SECRET = 's'.repeat(16);

  test('has a URL, http and private as it may be, and a secret, also from a file', () => {
    const file = fileWith(`${SECRET}\n`);
    const hook = { OPERATOR_WEBHOOK_URL: URL, OPERATOR_WEBHOOK_SECRET_FILE: file };
    expect(loadConfig({ ...GOOD, ...hook }).webhook).toEqual({ url: URL, secret: SECRET });
  });

  test('is none where there is a secret only', () => {
    expect(loadConfig({ ...GOOD, OPERATOR_WEBHOOK_SECRET: SECRET }).webhook).toBe(null);
  });

  test.each([
    ['without a secret', URL, undefined, 'OPERATOR_WEBHOOK_SECRET is not'],
    ['with a short one', URL, 's'.repeat(15), 'OPERATOR_WEBHOOK_SECRET needs at least 16'],
    ['with the placeholder', URL, 'change-me-change-me', 'placeholder'],
    ['that is no URL', 'hooks', SECRET, 'OPERATOR_WEBHOOK_URL must be an http or https URL'],
    ['of another scheme', 'file:///etc/passwd', SECRET, 'must be an http or https URL'],
    ['with a password', 'https://a:b@hooks.example', SECRET, 'may not hold a user or password'],
  ])('%s is refused', (_what, url, secret, message) => {
    const hook = { OPERATOR_WEBHOOK_URL: url, OPERATOR_WEBHOOK_SECRET: secret };
    expect(() => loadConfig({ ...GOOD, ...hook })).toThrow(message);
  });
});
