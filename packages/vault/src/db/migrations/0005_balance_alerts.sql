-- When an agent's operator was last told that it has less available than its floor.
CREATE TABLE balance_alerts (
  agent_no INTEGER PRIMARY KEY CHECK (agent_no > 0),
  at INTEGER NOT NULL
) STRICT;
