export const AGENTS_USAGE = `  agents create NAME     [--daily-limit-msat N] [--max-transaction-msat N]
  agents list
  agents policy ID       [--daily-limit-msat N|none] [--max-transaction-msat N|none]
  agents disable ID
  deposit ID MSAT        credit an agent (also: agents deposit)

  These speak to VAULT_URL (http://127.0.0.1:3010) with VAULT_ADMIN_TOKEN; --json prints answers as they came.
`;
