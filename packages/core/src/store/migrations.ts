import type Database from 'better-sqlite3';

/** Each entry is applied once, in order; the number of applied ones stands in `user_version`. */
const MIGRATIONS: readonly string[] = [
  `
  create table meta (key text primary key not null, value text not null) strict;
  create table journal (
    reservation_id text primary key not null,
    state text not null check (state in ('intent', 'dispatched', 'settle', 'release', 'delivered')),
    agent_id text not null,
    correlation_id text not null,
    requested_model text not null,
    held_msat integer not null check (held_msat >= 0),
    estimated_input_tokens integer not null check (estimated_input_tokens >= 0),
    output_tokens integer not null default 0 check (output_tokens >= 0),
    snapshot text not null,
    ending text,
    outcome text,
    created_at_ms integer not null,
    ended_at_ms integer,
    delivered_at_ms integer
  ) strict;
  create index journal_open on journal (state) where state <> 'delivered';
  create index journal_delivered on journal (delivered_at_ms) where state = 'delivered';
  create table requests (
    seq integer primary key autoincrement,
    correlation_id text not null,
    reservation_id text,
    agent_id text,
    timestamp_ms integer not null,
    requested_model text not null,
    model text,
    provider text,
    tier text,
    streaming integer not null,
    status integer not null,
    error_code text,
    error_message text,
    ending text not null,
    input_tokens integer,
    cached_input_tokens integer,
    output_tokens integer,
    estimated integer not null,
    disbelieved integer not null,
    cost_msat integer,
    provider_cost_msat integer,
    held_msat integer,
    attempts text not null,
    latency_ms integer not null,
    first_byte_ms integer
  ) strict;
  create index requests_by_correlation on requests (correlation_id);
  create index requests_by_agent on requests (agent_id, seq);
  `,
  `alter table requests add column lost_msat integer not null default 0`,
  `
  create table claims (
    owner text not null,
    name text not null,
    body_hash text not null,
    cost_msat integer not null check (cost_msat >= 0),
    facts text,
    answer blob,
    answer_bytes integer not null,
    created_at_ms integer not null,
    expires_at_ms integer not null,
    primary key (owner, name)
  ) strict;
  create index claims_by_expiry on claims (expires_at_ms, answer_bytes);
  `,
  `
  alter table requests add column policy text;
  alter table requests add column floor text;
  alter table requests add column complexity_score real;
  alter table requests add column dearest_msat integer;
  alter table requests add column mean_msat integer;
  `,
  `create index requests_by_time on requests (timestamp_ms)`,
  `alter table requests add column endpoint text not null default 'chat'`,
];

export class NewerDatabaseError extends Error {
  readonly code = 'NEWER_DATABASE';
  constructor(path: string, found: number) {
    super(
      `${path} was written by a newer arbstr (schema ${found}, this one knows ${MIGRATIONS.length}): start the newer version, or use another database.path`,
    );
  }
}

/** Applies what is missing in one transaction; throws NewerDatabaseError on a newer file. */
export function migrate(db: Database.Database, path: string): void {
  db.transaction(() => {
    const version = db.pragma('user_version', { simple: true }) as number;
    if (version > MIGRATIONS.length) throw new NewerDatabaseError(path, version);
    for (const sql of MIGRATIONS.slice(version)) db.exec(sql);
    db.pragma(`user_version = ${MIGRATIONS.length}`);
  }).immediate();
}
