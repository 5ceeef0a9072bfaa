-- Sellers of inference: what each is owed stands in its payable account.
CREATE TABLE sellers (
  name TEXT PRIMARY KEY NOT NULL,
  payable_account INTEGER NOT NULL,
  held_account INTEGER NOT NULL,
  payout_destination TEXT,
  payout_threshold INTEGER NOT NULL CHECK (payout_threshold > 0),
  standing TEXT NOT NULL CHECK (standing IN ('new', 'approved', 'denied')),
  updated_at INTEGER NOT NULL
) STRICT;
--> statement-breakpoint
CREATE TABLE payouts (
  id TEXT PRIMARY KEY NOT NULL,
  seller TEXT NOT NULL,
  destination TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  max_fee INTEGER NOT NULL CHECK (max_fee >= 0),
  state TEXT NOT NULL CHECK (state IN ('waiting', 'held', 'in_flight', 'succeeded', 'failed')),
  created_at INTEGER NOT NULL,
  wallet_identity TEXT,
  target TEXT,
  seen INTEGER NOT NULL CHECK (seen IN (0, 1)),
  ended_at INTEGER,
  fee INTEGER CHECK (fee >= 0),
  preimage TEXT,
  failure TEXT,
  CHECK ((wallet_identity IS NULL) = (target IS NULL)),
  CHECK (state NOT IN ('in_flight', 'succeeded') OR target IS NOT NULL),
  CHECK ((state IN ('succeeded', 'failed')) = (ended_at IS NOT NULL)),
  CHECK ((state = 'succeeded') = (fee IS NOT NULL)),
  CHECK ((state = 'failed') = (failure IS NOT NULL))
) STRICT;
--> statement-breakpoint
-- A seller is paid one thing at a time, so that no retry can pay it twice.
CREATE UNIQUE INDEX payouts_open ON payouts (seller) WHERE state IN ('waiting', 'held', 'in_flight');
--> statement-breakpoint
CREATE INDEX payouts_by_time ON payouts (created_at);
--> statement-breakpoint
CREATE INDEX payouts_by_seller ON payouts (seller, id);
--> statement-breakpoint
CREATE TRIGGER sellers_no_delete BEFORE DELETE ON sellers
BEGIN SELECT RAISE(ABORT, 'sellers are never deleted'); END;
--> statement-breakpoint
CREATE TRIGGER payouts_no_delete BEFORE DELETE ON payouts
BEGIN SELECT RAISE(ABORT, 'payouts are never deleted'); END;
--> statement-breakpoint
CREATE TRIGGER payouts_final BEFORE UPDATE ON payouts WHEN OLD.state IN ('succeeded', 'failed')
BEGIN SELECT RAISE(ABORT, 'a payout that has ended does not change'); END;
--> statement-breakpoint
CREATE TRIGGER payouts_fixed BEFORE UPDATE OF id, seller, destination, amount, max_fee ON payouts
BEGIN SELECT RAISE(ABORT, 'what a payout is does not change'); END;
