-- One invoice is paid once. Who only waits for a human does not claim it yet: else a forged invoice
-- with the hash of another's would keep that one from being paid as long as it waits.
DROP INDEX payments_by_hash;
--> statement-breakpoint
CREATE UNIQUE INDEX payments_by_hash ON payments (payment_hash)
  WHERE payment_hash IS NOT NULL AND state IN ('held', 'in_flight', 'succeeded');
--> statement-breakpoint
-- One agent asks once for one invoice.
CREATE UNIQUE INDEX payments_asked ON payments (payment_hash, agent_no)
  WHERE payment_hash IS NOT NULL AND state = 'requested';
--> statement-breakpoint
-- What was paid to sellers lately counts by when that was, however long it had waited.
CREATE INDEX payouts_paid ON payouts (state, ended_at) WHERE state = 'succeeded';
--> statement-breakpoint
DROP INDEX payouts_by_time;
