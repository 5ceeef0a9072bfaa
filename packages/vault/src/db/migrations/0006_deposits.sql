-- Money that others pay in for an agent.
CREATE TABLE deposits (
  id TEXT PRIMARY KEY NOT NULL,
  agent_no INTEGER NOT NULL,
  rail TEXT NOT NULL,
  type TEXT NOT NULL CHECK (type IN ('invoice', 'cashu_token')),
  amount INTEGER NOT NULL CHECK (amount > 0),
  payment_request TEXT,
  payment_hash TEXT UNIQUE,
  expires_at INTEGER,
  token TEXT,
  token_hash TEXT,
  token_key TEXT,
  correlation_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'settled', 'expired', 'failed')),
  created_at INTEGER NOT NULL,
  ended_at INTEGER,
  received INTEGER CHECK (received > 0),
  receipt_index INTEGER,
  balance_after INTEGER,
  failure TEXT,
  CHECK ((type = 'invoice') = (payment_hash IS NOT NULL)),
  CHECK ((type = 'invoice') = (payment_request IS NOT NULL)),
  CHECK ((type = 'invoice') = (expires_at IS NOT NULL)),
  CHECK ((type = 'cashu_token') = (token_key IS NOT NULL)),
  CHECK ((state IN ('settled', 'failed')) = (ended_at IS NOT NULL)),
  CHECK ((state = 'settled') = (received IS NOT NULL)),
  CHECK ((state = 'failed') = (failure IS NOT NULL)),
  CHECK (state <> 'expired' OR type = 'invoice')
) STRICT;
--> statement-breakpoint
-- One receipt credits one deposit, and the last one is where the vault asks on from.
CREATE UNIQUE INDEX deposits_by_receipt ON deposits (rail, receipt_index)
  WHERE receipt_index IS NOT NULL;
--> statement-breakpoint
-- The same ecash is deposited once.
CREATE UNIQUE INDEX deposits_by_token ON deposits (token_key)
  WHERE token_key IS NOT NULL AND state <> 'failed';
--> statement-breakpoint
CREATE INDEX deposits_by_agent ON deposits (agent_no, id);
--> statement-breakpoint
CREATE INDEX deposits_pending ON deposits (agent_no) WHERE state = 'pending';
--> statement-breakpoint
CREATE INDEX deposits_due ON deposits (expires_at) WHERE state = 'pending';
--> statement-breakpoint
CREATE TRIGGER deposits_no_delete BEFORE DELETE ON deposits
BEGIN SELECT RAISE(ABORT, 'deposits are never deleted'); END;
--> statement-breakpoint
CREATE TRIGGER deposits_final BEFORE UPDATE ON deposits WHEN OLD.state IN ('settled', 'failed')
BEGIN SELECT RAISE(ABORT, 'a deposit that has ended does not change'); END;
--> statement-breakpoint
CREATE TRIGGER deposits_fixed BEFORE UPDATE OF id, agent_no, rail, type, amount, payment_request,
  payment_hash, expires_at, token_hash, token_key ON deposits
BEGIN SELECT RAISE(ABORT, 'what a deposit is does not change'); END;
