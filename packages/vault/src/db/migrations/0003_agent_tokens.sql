-- Tokens of an agent are listed, replaced and ended.
CREATE INDEX agent_tokens_by_agent ON agent_tokens (agent_no, id);
--> statement-breakpoint
CREATE TRIGGER agent_tokens_no_delete BEFORE DELETE ON agent_tokens
BEGIN SELECT RAISE(ABORT, 'agent tokens are ended, never deleted'); END;
--> statement-breakpoint
-- A token that was ended never lives longer than was said then.
CREATE TRIGGER agent_tokens_only_end BEFORE UPDATE ON agent_tokens
WHEN NEW.id IS NOT OLD.id OR NEW.agent_no IS NOT OLD.agent_no
  OR NEW.token_hash IS NOT OLD.token_hash OR NEW.scopes IS NOT OLD.scopes
  OR NEW.created_at IS NOT OLD.created_at OR NEW.expires_at IS NOT OLD.expires_at
  OR NEW.revoked_at IS NULL OR NEW.revoked_at > OLD.revoked_at
BEGIN SELECT RAISE(ABORT, 'of an agent token only its end may change, to an earlier one'); END;
