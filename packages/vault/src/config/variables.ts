/** Every environment variable that the vault knows, in one table. */

/** Each also as NAME_FILE: the value is then read from that file (Compose secrets). */
export const VARIABLES = [
  'VAULT_ADMIN_TOKEN',
  'VAULT_INTERNAL_TOKEN',
  'HOST',
  'PORT',
  'DATABASE_PATH',
  'AUDIT_KEY',
  'AUDIT_CHECKPOINT_SECS',
  'AUDIT_CHECKPOINT_DIR',
  'LOG_LEVEL',
  'AGENT_RATE_LIMIT_RPS',
  'WALLET_BACKEND',
  'LND_NETWORK',
  'PAYOUT_DAILY_CAP_MSAT',
  'SIMULATED_WALLET_SCRIPT',
  'OPERATOR_WEBHOOK_URL',
  'OPERATOR_WEBHOOK_SECRET',
] as const;
export type Variable = (typeof VARIABLES)[number];

/** Part of the contract, with a feature behind them that is not there yet: refused, not ignored. */
export const NOT_YET_SUPPORTED: Readonly<Record<string, string>> = {
  DATABASE_URL: 'the PostgreSQL engine',
  LND_HOST: 'the Lightning rail',
  LND_PORT: 'the Lightning rail',
  LND_TLS_CERT_PATH: 'the Lightning rail',
  LND_CERT_BASE64: 'the Lightning rail',
  LND_MACAROON_PATH: 'the Lightning rail',
  LND_MACAROON_BASE64: 'the Lightning rail',
  CASHU_MINT_URL: 'the Cashu rail',
  CASHU_SEED_PATH: 'the Cashu rail',
  CASHU_THRESHOLD_MSAT: 'the Cashu rail',
};
