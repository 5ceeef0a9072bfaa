// Money

// Agents and their limits
export {
  AGENT_TOKEN_PATTERN,
  type AgentScope,
  type AuthenticateAnswer,
  agentScopeSchema,
  authenticateAnswerSchema,
  authenticateRequestSchema,
} from './agent.ts';
export { VAULT_ERRORS, type VaultErrorBody, type VaultErrorCode } from './error-code.ts';
export { HEADERS } from './headers.ts';
// Names
export {
  CORRELATION_ID_PATTERN,
  correlationIdSchema,
  createIdSource,
  ID_PREFIXES,
  type IdKind,
  idFromBytes,
  idSchema,
} from './ids.ts';
export {
  addMsat,
  ceilDiv,
  floorDiv,
  formatSats,
  MSAT_MAX,
  type Msat,
  MsatRangeError,
  maxMsat,
  minMsat,
  msat,
  msatSchema,
  subMsat,
  ZERO_MSAT,
} from './msat.ts';
export {
  APPROVAL_TIMEOUT_MS_MAX,
  APPROVAL_TIMEOUT_MS_MIN,
  type SpendPolicy,
  spendPolicySchema,
} from './policy.ts';
// Billing
export {
  extendAnswerSchema,
  extendRequestSchema,
  HOLD_SECS_DEFAULT,
  HOLD_SECS_MAX,
  RESERVATION_STATES,
  type ReleaseAnswer,
  type ReleaseRequest,
  type Reservation,
  type ReservationState,
  type ReserveAnswer,
  type ReserveRequest,
  releaseAnswerSchema,
  releaseRequestSchema,
  reservationListSchema,
  reservationSchema,
  reservationStateSchema,
  reserveAnswerSchema,
  reserveRequestSchema,
  type SettleAnswer,
  type SettleRequest,
  settleAnswerSchema,
  settleRequestSchema,
} from './reservation.ts';
