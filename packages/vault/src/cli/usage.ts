export const AGENTS_USAGE = `  agents create NAME [LIMITS]
  agents list
  agents policy ID [LIMITS]   change the named ones; none lifts one
  agents policy versions ID   what it was, newest first
  agents rotate-token ID [--scopes spend,read] [--expires-in-secs N] [--overlap-secs N|none]
  agents disable ID [--sweep] take what it has available, too
  deposit ID MSAT             credit an agent (also: agents deposit)
  approvals [approve|deny ID [--reason WHY]]   what waits for you, and your word on it
  payouts                                      to sellers
  payouts book PROVIDER MSAT --reason WHY      it was paid, and no payout knows of it
  webhooks [list] [--state S]                  S: undelivered (default), dead, pending, delivered, all
  webhooks replay IDâ¦ | --dead                 deliver these, or all dead letters, again

  LIMITS: --max-transaction-msat N  --daily-limit-msat N  --max-fee-msat N
          --approval-timeout-ms N  --alert-floor-msat N  --alert-cooldown-ms N
          --allowed-models A,B  --allowed-destinations A,B

  These speak to VAULT_URL (http://127.0.0.1:3010) with VAULT_ADMIN_TOKEN; --json prints answers as they came.
  Each change is asked for under a key, which is named where no answer came:
  the same command with --idempotency-key KEY does nothing twice.
`;
