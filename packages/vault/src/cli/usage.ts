/** How each command is used, as `--help` shows it. */

const LIMITS = `
  LIMITS: --max-transaction-msat N  --daily-limit-msat N  --max-fee-msat N
          --approval-timeout-ms N  --alert-floor-msat N  --alert-cooldown-ms N
          --allowed-models A,B  --allowed-destinations A,B
`;

export const USAGE = {
  serve: `  serve                  run the vault, with settings from the environment
`,
  verify: `  verify [--json] [--checkpoint FILE]…
                         check books, audit trail and rows of the database at DATABASE_PATH,
                         and that what exported checkpoints know is still there
`,
  checkpoint: `  checkpoint FILE        where all its audit chains stand, signed; keep it on another machine
`,
  backup: `  backup FILE            a verified copy of that database, vault running or not
`,
  restore: `  restore FILE [--yes]   a vault from such a copy, where there is none yet; it starts in recovery mode
`,
  openapi: `  openapi [--check FILE] print the API's description, or compare a copy with it
`,
  agents: `  agents create NAME [LIMITS]
  agents list
  agents show ID              balance, policy and tokens
  agents policy ID [LIMITS]   change the named ones; none lifts one; without any, show it
  agents policy versions ID   what it was, newest first
  agents rotate-token ID [--scopes spend,read] [--expires-in-secs N] [--overlap-secs N|none] [--yes]
  agents disable ID [--sweep] [--yes]          --sweep takes what it has available, too
  agents deposit ID MSAT                       as deposit
${LIMITS}`,
  deposit: `  deposit ID MSAT             credit an agent
`,
  approvals: `  approvals [list]                             what waits for your word
  approvals approve ID [--reason WHY] [--yes]  the money leaves
  approvals deny ID [--reason WHY]
`,
  payouts: `  payouts [list]                               to sellers
  payouts book PROVIDER MSAT --reason WHY [--yes]
                                               it was paid, and no payout knows of it
`,
  webhooks: `  webhooks [list] [--state S]                  S: undelivered (default), dead, pending, delivered, all
  webhooks replay ID… | --dead                 deliver these, or all dead letters, again
`,
  dashboard: `  dashboard                                    sums, what waits and what is stuck
`,
  recovery: `  recovery finish [--force] [--yes]            let a restored vault hold and pay again;
                                               --force: also where the wallet has not answered
`,
} as const;

export type Command = keyof typeof USAGE;

const LOCAL: readonly Command[] = ['serve', 'verify', 'checkpoint', 'backup', 'restore', 'openapi'];
const REMOTE: readonly Command[] = [
  'agents',
  'deposit',
  'approvals',
  'payouts',
  'webhooks',
  'dashboard',
  'recovery',
];

const OVER_HTTP = `
  These speak to VAULT_URL (http://127.0.0.1:3010) with VAULT_ADMIN_TOKEN; --json prints answers as they came.
  Each change is asked for under a key, which is named where no answer came:
  the same command with --idempotency-key KEY does nothing twice.
`;

const ASKS = `
  What takes --yes cannot be undone and asks first, on stderr; anything but y or yes is no.
  --yes answers beforehand. Where stdin or stderr is no terminal, as in a script, nothing is asked.
`;

const CODES = `
  Exit codes: 0 done; 1 failed, refused, or not confirmed; 2 used wrongly, nothing was done;
  3 only of verify --checkpoint: nothing is wrong, but a restore came in between.
`;

const texts = (commands: readonly Command[]): string =>
  commands.map((name) => USAGE[name]).join('');

export const ALL_USAGE = `usage: node packages/vault/src/main.ts <command>; <command> --help shows one

${texts(LOCAL)}
${USAGE.agents}
${texts(REMOTE.slice(1))}${OVER_HTTP}${ASKS}${CODES}`;

export const isCommand = (name: string | undefined): name is Command =>
  name !== undefined && Object.hasOwn(USAGE, name);

export function usageOf(command: Command): string {
  const asks = USAGE[command].includes('--yes') ? ASKS : '';
  return `usage:\n${USAGE[command]}${REMOTE.includes(command) ? OVER_HTTP : ''}${asks}${CODES}`;
}
