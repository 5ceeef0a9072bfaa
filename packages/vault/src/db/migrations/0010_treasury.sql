-- Which agent is the operator's own: revenue that is paid out goes through it.
CREATE TABLE treasury (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  agent_no INTEGER NOT NULL REFERENCES agents(no)
) STRICT;
--> statement-breakpoint
CREATE TRIGGER treasury_no_update BEFORE UPDATE ON treasury
BEGIN SELECT RAISE(ABORT, 'the treasury does not change'); END;
--> statement-breakpoint
CREATE TRIGGER treasury_no_delete BEFORE DELETE ON treasury
BEGIN SELECT RAISE(ABORT, 'the treasury does not change'); END;
