-- What an agent made lately, and what of it came to nothing (yet): it is counted, so that no agent
-- can fill the disk with what costs it nothing. With the columns of their conditions, or each row
-- that is counted would be read.
CREATE INDEX payments_made ON payments (agent_no, created_at, decision) WHERE decision <> 'DENY';
--> statement-breakpoint
CREATE INDEX payments_unpaid ON payments (agent_no, created_at, decision, state)
  WHERE decision <> 'DENY' AND state <> 'succeeded';
--> statement-breakpoint
CREATE INDEX deposits_unpaid ON deposits (agent_no, created_at, state) WHERE state <> 'settled';
--> statement-breakpoint
CREATE INDEX approvals_unmet ON approvals (agent_no, created_at, type, status)
  WHERE type = 'inference' AND status <> 'approved';
