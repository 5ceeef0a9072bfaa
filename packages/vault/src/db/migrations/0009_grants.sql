-- Approvals of inference: one question per agent, model and rule at a time, and what its approval
-- gives. A consumed grant keeps the reservation that consumed it.
ALTER TABLE approvals ADD COLUMN model TEXT;
--> statement-breakpoint
CREATE UNIQUE INDEX approvals_inference ON approvals (agent_no, model, rule)
  WHERE status = 'pending' AND type = 'inference';
--> statement-breakpoint
CREATE TABLE grants (
  approval_id TEXT PRIMARY KEY NOT NULL,
  agent_no INTEGER NOT NULL,
  model TEXT NOT NULL,
  rule TEXT NOT NULL,
  amount_max INTEGER NOT NULL CHECK (amount_max >= 0),
  expires_at INTEGER NOT NULL,
  reservation_id TEXT,
  consumed_at INTEGER,
  CHECK (consumed_at IS NULL OR reservation_id IS NOT NULL)
) STRICT, WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX grants_free ON grants (agent_no, model, rule) WHERE reservation_id IS NULL;
--> statement-breakpoint
CREATE TRIGGER grants_no_delete BEFORE DELETE ON grants
BEGIN SELECT RAISE(ABORT, 'grants are consumed, never deleted'); END;
--> statement-breakpoint
CREATE TRIGGER grants_final BEFORE UPDATE ON grants
WHEN OLD.consumed_at IS NOT NULL OR NEW.approval_id IS NOT OLD.approval_id
  OR NEW.agent_no IS NOT OLD.agent_no OR NEW.model IS NOT OLD.model OR NEW.rule IS NOT OLD.rule
  OR NEW.amount_max IS NOT OLD.amount_max OR NEW.expires_at IS NOT OLD.expires_at
BEGIN SELECT RAISE(ABORT, 'what was granted does not change, and is consumed once'); END;
--> statement-breakpoint
-- The grants that a hold has taken, so that its end need not look for any: approval ids, or null.
ALTER TABLE reservations ADD COLUMN approval_ids TEXT;
