-- Payments out, and what waits for a human. A payment's money is held from its first row until its
-- end; what was held is amount + max_fee, except where the policy denied it and nothing was.
CREATE TABLE payments (
  id TEXT NOT NULL UNIQUE,
  agent_no INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('payment', 'withdrawal')),
  destination_type TEXT NOT NULL,
  destination TEXT NOT NULL,
  payment_hash TEXT,
  invoice_expires_at INTEGER,
  payee_no INTEGER,
  amount INTEGER NOT NULL CHECK (amount > 0),
  max_fee INTEGER NOT NULL CHECK (max_fee >= 0),
  purpose TEXT NOT NULL,
  rail TEXT NOT NULL,
  decision TEXT NOT NULL CHECK (decision IN ('ALLOW', 'DENY', 'REQUIRE_HUMAN_APPROVAL')),
  decision_reason TEXT NOT NULL,
  approval_id TEXT,
  correlation_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('requested', 'held', 'in_flight', 'succeeded', 'failed')),
  created_at INTEGER NOT NULL,
  wallet_identity TEXT,
  sent_at INTEGER,
  seen INTEGER NOT NULL CHECK (seen IN (0, 1)),
  ended_at INTEGER,
  fee INTEGER CHECK (fee >= 0),
  preimage TEXT,
  token TEXT,
  failure TEXT,
  CHECK ((state IN ('succeeded', 'failed')) = (ended_at IS NOT NULL)),
  CHECK ((state = 'succeeded') = (fee IS NOT NULL)),
  CHECK ((state = 'failed') = (failure IS NOT NULL)),
  CHECK (state <> 'in_flight' OR wallet_identity IS NOT NULL),
  CHECK (decision <> 'DENY' OR state = 'failed')
) STRICT;
--> statement-breakpoint
-- One invoice is paid once: the second payment of a hash has no row while the first may succeed.
CREATE UNIQUE INDEX payments_by_hash ON payments (payment_hash)
  WHERE payment_hash IS NOT NULL AND state <> 'failed';
--> statement-breakpoint
-- What the runner still has to bring to its end.
CREATE INDEX payments_open ON payments (id) WHERE state IN ('held', 'in_flight');
--> statement-breakpoint
CREATE INDEX payments_by_agent ON payments (agent_no, id);
--> statement-breakpoint
CREATE TABLE approvals (
  id TEXT NOT NULL UNIQUE,
  agent_no INTEGER NOT NULL,
  type TEXT NOT NULL,
  transaction_id TEXT,
  amount INTEGER NOT NULL CHECK (amount >= 0),
  max_fee INTEGER NOT NULL CHECK (max_fee >= 0),
  destination_type TEXT,
  destination TEXT,
  rule TEXT NOT NULL,
  correlation_id TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'denied', 'timed_out')),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  resolved_at INTEGER,
  reason TEXT,
  CHECK ((status = 'pending') = (resolved_at IS NULL))
) STRICT;
--> statement-breakpoint
CREATE INDEX approvals_pending ON approvals (expires_at) WHERE status = 'pending';
--> statement-breakpoint
CREATE INDEX approvals_by_agent ON approvals (agent_no, id);
--> statement-breakpoint
-- A rail that broke its word is frozen until the operator has looked at it.
CREATE TABLE rails (
  name TEXT PRIMARY KEY NOT NULL,
  frozen_at INTEGER,
  reason TEXT,
  CHECK ((frozen_at IS NULL) = (reason IS NULL))
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
-- Accounts that later schemas share have negative ids: positive ones may belong to agents already.
INSERT INTO accounts (id, name, normal, balance) VALUES
  (-2, 'fees:simulated', 'credit', 0),
  (-3, 'transit:internal', 'credit', 0);
--> statement-breakpoint
CREATE TRIGGER payments_no_delete BEFORE DELETE ON payments
BEGIN SELECT RAISE(ABORT, 'payments are never deleted'); END;
--> statement-breakpoint
CREATE TRIGGER payments_final BEFORE UPDATE ON payments WHEN OLD.state IN ('succeeded', 'failed')
BEGIN SELECT RAISE(ABORT, 'a payment that has ended does not change'); END;
--> statement-breakpoint
-- What was agreed to is what is sent.
CREATE TRIGGER payments_fixed BEFORE UPDATE OF id, agent_no, kind, destination_type, destination,
  payment_hash, invoice_expires_at, payee_no, amount, max_fee, rail ON payments
BEGIN SELECT RAISE(ABORT, 'what a payment is does not change'); END;
--> statement-breakpoint
CREATE TRIGGER approvals_no_delete BEFORE DELETE ON approvals
BEGIN SELECT RAISE(ABORT, 'approvals are never deleted'); END;
--> statement-breakpoint
CREATE TRIGGER approvals_final BEFORE UPDATE OF status ON approvals WHEN OLD.status <> 'pending'
BEGIN SELECT RAISE(ABORT, 'an approval is resolved once'); END;
--> statement-breakpoint
CREATE TRIGGER approvals_fixed BEFORE UPDATE OF id, agent_no, type, transaction_id, amount, max_fee,
  destination_type, destination, rule, expires_at ON approvals
BEGIN SELECT RAISE(ABORT, 'what an approver sees does not change'); END;
