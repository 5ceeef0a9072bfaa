-- Whose key it is: the operator's or an agent's id. Keys are counted, and so bounded, by principal.
ALTER TABLE idempotency_keys ADD COLUMN principal TEXT NOT NULL DEFAULT 'operator';
--> statement-breakpoint
CREATE INDEX idempotency_keys_by_principal ON idempotency_keys (principal);
