-- What the operator is told by webhook: written in the tx of the change that it tells of.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL UNIQUE,
  -- 0: of no agent.
  agent_no INTEGER NOT NULL CHECK (agent_no >= 0),
  seq INTEGER NOT NULL CHECK (seq > 0),
  event TEXT NOT NULL,
  -- The very bytes that are sent, at every try.
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead')),
  tries INTEGER NOT NULL CHECK (tries >= 0),
  queued_at INTEGER NOT NULL,
  next_at INTEGER,
  ended_at INTEGER,
  failure TEXT,
  CHECK ((state = 'pending') = (next_at IS NOT NULL)),
  CHECK ((state = 'pending') = (ended_at IS NULL))
) STRICT;
--> statement-breakpoint
CREATE UNIQUE INDEX outbox_by_agent ON outbox (agent_no, seq);
--> statement-breakpoint
CREATE INDEX outbox_by_state ON outbox (state, id);
--> statement-breakpoint
-- First tries and later ones are found apart, so that what fails never stands before what is new.
CREATE INDEX outbox_fresh ON outbox (id) WHERE state = 'pending' AND tries = 0;
--> statement-breakpoint
CREATE INDEX outbox_again ON outbox (next_at) WHERE state = 'pending' AND tries > 0;
--> statement-breakpoint
CREATE TRIGGER outbox_fixed BEFORE UPDATE OF event_id, agent_no, seq, event, body, created_at ON outbox
BEGIN SELECT RAISE(ABORT, 'what an event says does not change'); END;
--> statement-breakpoint
-- The last sequence of each agent; rows leave the outbox, numbers are never used again.
CREATE TABLE outbox_heads (
  agent_no INTEGER PRIMARY KEY CHECK (agent_no >= 0),
  seq INTEGER NOT NULL CHECK (seq > 0)
) STRICT;
--> statement-breakpoint
-- Conditions that the operator has been told of and that are not over yet.
CREATE TABLE episodes (
  alert TEXT NOT NULL CHECK (alert IN ('rail_degraded', 'item_stuck', 'webhook_undelivered')),
  subject TEXT NOT NULL,
  reason TEXT NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (alert, subject)
) STRICT, WITHOUT ROWID;
