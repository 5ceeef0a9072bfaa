-- Lists are read by what they are filtered by, and never through all that has ended since the
-- vault's first day.
CREATE INDEX approvals_by_status ON approvals (status, id);
--> statement-breakpoint
CREATE INDEX approvals_by_agent_and_status ON approvals (agent_no, status, id);
--> statement-breakpoint
CREATE INDEX payouts_by_state ON payouts (state, id);
