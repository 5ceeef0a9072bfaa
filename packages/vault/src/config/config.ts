/** The vault's settings: parsed once, from the environment, then passed in. */
import { readFileSync } from 'node:fs';
import { type Msat, msat } from '@arbstr/shared';
import { z } from 'zod';
import { NETWORKS, type Network } from '../bolt11/invoice.ts';
import { StartError } from '../errors.ts';
import { NOT_YET_SUPPORTED, VARIABLES, type Variable } from './variables.ts';

const SECRET_CHARS_MIN = 32;
/** Of the key that signs webhooks: receivers have rules of their own for theirs. */
const WEBHOOK_SECRET_CHARS_MIN = 16;
const URL_CHARS_MAX = 2_000;
const MAKE_A_SECRET =
  'make one with: node -e "console.log(crypto.randomBytes(32).toString(\'base64url\'))"';
/** What example files say where a secret belongs. */
const PLACEHOLDER = /change[-_ ]?me|replace/i;

const secretOf = (charsMin: number) =>
  z
    .string()
    .min(charsMin, { error: `needs at least ${charsMin} characters; ${MAKE_A_SECRET}` })
    .refine((value) => !PLACEHOLDER.test(value), {
      error: `is still the example's placeholder; ${MAKE_A_SECRET}`,
    })
    // A header value cannot carry anything else.
    .regex(/^[\x21-\x7e]*$/, {
      error: `may hold printable ASCII without spaces; ${MAKE_A_SECRET}`,
    });
const secret = secretOf(SECRET_CHARS_MIN);

/** The operator's own receiver: http and private addresses are fine. */
const webhookUrl = z
  .string()
  .max(URL_CHARS_MAX, { error: `may have at most ${URL_CHARS_MAX} characters` })
  .refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''), {
    error: 'must be an http or https URL',
  })
  .refine((text) => !URL.parse(text)?.username && !URL.parse(text)?.password, {
    error: 'may not hold a user or password; the signature says that it was us',
  });

const environmentSchema = z.object({
  VAULT_ADMIN_TOKEN: z.string({ error: `is not set; ${MAKE_A_SECRET}` }).pipe(secret),
  VAULT_INTERNAL_TOKEN: z.string({ error: `is not set; ${MAKE_A_SECRET}` }).pipe(secret),
  HOST: z.string().default('127.0.0.1'),
  PORT: z
    .string()
    .regex(/^\d{1,5}$/, { error: 'must be a port number' })
    .default('3010')
    .transform(Number)
    .refine((port) => port <= 65_535, { error: 'must be at most 65535' }),
  DATABASE_PATH: z.string().default('./data/vault.db'),
  AUDIT_KEY: secret.optional(),
  AUDIT_CHECKPOINT_SECS: z
    .string()
    .regex(/^(0|[1-9]\d{1,6})$/, { error: 'must be seconds, at least 10; 0 = none are written' })
    .default('3600')
    .transform(Number),
  AUDIT_CHECKPOINT_DIR: z.string().optional(),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'must be trace, debug, info, warn, error, fatal or silent',
    })
    .default('info'),
  AGENT_RATE_LIMIT_RPS: z
    .string()
    .regex(/^\d{1,6}$/, { error: 'must be requests per second, an integer; 0 = no limit' })
    .default('100')
    .transform(Number),
  PAYOUT_DAILY_CAP_MSAT: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, { error: 'must be an amount in msat above zero' })
    .default('1000000000')
    .transform((value) => msat(Number(value))),
  WALLET_BACKEND: z
    .enum(['simulated', 'lightning', 'cashu', 'auto'], {
      error: 'must be simulated, lightning, cashu or auto',
    })
    .default('simulated')
    .refine((wallet) => wallet === 'simulated', {
      error: 'lightning, cashu and auto are not supported yet: use simulated',
    }),
  LND_NETWORK: z.enum(NETWORKS, { error: `must be ${NETWORKS.join(', ')}` }).optional(),
  SIMULATED_WALLET_SCRIPT: z.string().optional(),
  OPERATOR_WEBHOOK_URL: webhookUrl.optional(),
  OPERATOR_WEBHOOK_SECRET: secretOf(WEBHOOK_SECRET_CHARS_MIN).optional(),
});

export interface DatabaseConfig {
  readonly databasePath: string;
  /** Keys the audit chain (HMAC); null = plain SHA-256. */
  readonly auditKey: string | null;
}

export interface VaultConfig extends DatabaseConfig {
  readonly adminToken: string;
  readonly internalToken: string;
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  /** Of one agent token; 0 = no limit. */
  readonly agentRateLimitRps: number;
  /** What all sellers together are paid in 24 h at most. */
  readonly payoutDailyCapMsat: Msat;
  /** How often an audit checkpoint is written, ms; 0 = never. */
  readonly auditCheckpointMs: number;
  readonly auditCheckpointFolder: string;
  /** A file with faults for the simulated wallet, to rehearse with; null = it never misbehaves. */
  readonly simulatedWalletScript: string | null;
  /** Whose invoices are paid. */
  readonly networks: readonly Network[];
  /** Where the operator is told what happens; null = nowhere. */
  readonly webhook: WebhookConfig | null;
}

export interface WebhookConfig {
  readonly url: string;
  /** Signs what is sent (HMAC-SHA256). */
  readonly secret: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Throws StartError with one line per problem. */
export function loadConfig(environment: Environment): VaultConfig {
  refuseUnsupported(environment);
  const parsed = parse(environmentSchema, withFiles(environment));
  return Object.freeze({
    adminToken: parsed.VAULT_ADMIN_TOKEN,
    internalToken: parsed.VAULT_INTERNAL_TOKEN,
    host: parsed.HOST,
    port: parsed.PORT,
    databasePath: parsed.DATABASE_PATH,
    auditKey: parsed.AUDIT_KEY ?? null,
    logLevel: parsed.LOG_LEVEL,
    agentRateLimitRps: parsed.AGENT_RATE_LIMIT_RPS,
    payoutDailyCapMsat: parsed.PAYOUT_DAILY_CAP_MSAT,
    auditCheckpointMs: parsed.AUDIT_CHECKPOINT_SECS * 1_000,
    auditCheckpointFolder: parsed.AUDIT_CHECKPOINT_DIR ?? `${parsed.DATABASE_PATH}.checkpoints`,
    simulatedWalletScript: parsed.SIMULATED_WALLET_SCRIPT ?? null,
    networks: parsed.LND_NETWORK === undefined ? NETWORKS : [parsed.LND_NETWORK],
    webhook: webhookOf(parsed.OPERATOR_WEBHOOK_URL, parsed.OPERATOR_WEBHOOK_SECRET),
  });
}

/** Never unsigned: a receiver could not tell our word from anybody's. */
function webhookOf(url: string | undefined, key: string | undefined): WebhookConfig | null {
  if (url === undefined) return null;
  if (key !== undefined) return { url, secret: key };
  throw new StartError(
    `OPERATOR_WEBHOOK_URL is set, but OPERATOR_WEBHOOK_SECRET is not; ${MAKE_A_SECRET}`,
  );
}

/** What commands on the database file need, without the service's secrets. */
export function loadDatabaseConfig(environment: Environment): DatabaseConfig {
  const schema = environmentSchema.pick({ DATABASE_PATH: true, AUDIT_KEY: true });
  if (environment.DATABASE_URL) refuseUnsupported({ DATABASE_URL: environment.DATABASE_URL });
  const parsed = parse(schema, withFiles(environment));
  return { databasePath: parsed.DATABASE_PATH, auditKey: parsed.AUDIT_KEY ?? null };
}

function parse<T extends z.ZodType>(schema: T, values: Partial<Record<Variable, string>>) {
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
  throw new StartError([...new Set(problems)].join('\n'));
}

function refuseUnsupported(environment: Environment): void {
  for (const [name, feature] of Object.entries(NOT_YET_SUPPORTED)) {
    if (environment[name] || environment[`${name}_FILE`]) {
      throw new StartError(`${name} is set, but ${feature} is not supported yet: unset it`);
    }
  }
}

/** Values from the environment or, by NAME_FILE, from files. An empty value counts as not set. */
function withFiles(environment: Environment): Partial<Record<Variable, string>> {
  const values: Partial<Record<Variable, string>> = {};
  for (const name of VARIABLES) {
    const value = environment[name];
    const file = environment[`${name}_FILE`];
    if (value && file) throw new StartError(`${name} and ${name}_FILE are both set: unset one`);
    if (value) values[name] = value;
    if (file) values[name] = readSecretFile(name, file);
  }
  return values;
}

function readSecretFile(name: Variable, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new StartError(`${name}_FILE cannot be read: ${(error as Error).message}`);
  }
}
