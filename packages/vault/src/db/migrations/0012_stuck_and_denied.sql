-- Why only a human can bring a payment or payout to its end; it must show right after a restart.
ALTER TABLE payments ADD COLUMN stuck TEXT;
--> statement-breakpoint
ALTER TABLE payouts ADD COLUMN stuck TEXT;
--> statement-breakpoint
CREATE INDEX payments_stuck ON payments (id) WHERE stuck IS NOT NULL;
--> statement-breakpoint
CREATE INDEX payouts_stuck ON payouts (id) WHERE stuck IS NOT NULL;
--> statement-breakpoint
-- How many denials of an agent were kept lately: more than some are answered and not kept.
CREATE INDEX payments_denied ON payments (agent_no, created_at) WHERE decision = 'DENY';
