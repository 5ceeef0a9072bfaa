-- The rest of a spend policy. Lists are JSON arrays of texts; the versions so far had none of it.
ALTER TABLE policy_versions ADD COLUMN max_fee_msat INTEGER CHECK (max_fee_msat >= 0);
--> statement-breakpoint
ALTER TABLE policy_versions ADD COLUMN approval_timeout_ms INTEGER CHECK (approval_timeout_ms > 0);
--> statement-breakpoint
ALTER TABLE policy_versions ADD COLUMN alert_floor_msat INTEGER CHECK (alert_floor_msat >= 0);
--> statement-breakpoint
ALTER TABLE policy_versions ADD COLUMN alert_cooldown_ms INTEGER CHECK (alert_cooldown_ms > 0);
--> statement-breakpoint
ALTER TABLE policy_versions ADD COLUMN allowed_models TEXT;
--> statement-breakpoint
ALTER TABLE policy_versions ADD COLUMN allowed_destinations TEXT;
