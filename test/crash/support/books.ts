/** The vault's database as an outsider reads it: with SQL of its own, through no code of the vault. */
import { DatabaseSync } from 'node:sqlite';

export interface Books {
  /** Over all accounts, msat; whole books sum to zero. */
  readonly sum: number;
  /** Accounts whose balance is not what their transfers come to. */
  readonly wrong: readonly string[];
  /** What the operator lost to late bills, msat. */
  readonly loss: number;
  /** Every reservation of an agent, in the order of their ids. */
  readonly reservations: readonly BookedReservation[];
}

export interface BookedReservation {
  readonly id: string;
  readonly agentId: string | null;
  readonly correlationId: string | null;
  readonly state: string;
  readonly amount: number;
  readonly charged: number | null;
  /** By its transfers: out of the agent's available balance, minus what came back. */
  readonly taken: number;
}

export function readBooks(path: string): Books {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    db.exec('begin');
    const accounts = db
      .prepare(
        `select name, balance,
           (select coalesce(sum(amount), 0) from transfers where credit = accounts.id) -
           (select coalesce(sum(amount), 0) from transfers where debit = accounts.id) as moved
         from accounts`,
      )
      .all() as { name: string; balance: number; moved: number }[];
    return {
      sum: accounts.reduce((sum, { balance }) => sum + balance, 0),
      wrong: accounts
        .filter(({ balance, moved }) => balance !== moved)
        .map(({ name, balance, moved }) => `${name}: ${balance}, by its transfers ${moved}`),
      loss: 0 - (accounts.find(({ name }) => name === 'operator:loss')?.balance ?? 0),
      reservations: readReservations(db),
    };
  } finally {
    db.close();
  }
}

function readReservations(db: DatabaseSync): BookedReservation[] {
  const taken = new Map<string, number>();
  const moves = db.prepare(
    `select ref, sum(case when d.name like 'agent:%:available' then amount else 0 end) -
            sum(case when c.name like 'agent:%:available' then amount else 0 end) as taken
     from transfers join accounts d on d.id = debit join accounts c on c.id = credit
     group by ref`,
  );
  for (const row of moves.all() as { ref: string; taken: number }[]) taken.set(row.ref, row.taken);
  const rows = db
    .prepare(
      `select reservations.id, agents.id as agent, correlation_id, state, amount, charged
       from reservations left join agents on agents.no = agent_no order by reservations.id`,
    )
    .all() as {
    id: string;
    agent: string | null;
    correlation_id: string | null;
    state: string;
    amount: number;
    charged: number | null;
  }[];
  return rows.map((row) => ({
    id: row.id,
    agentId: row.agent,
    correlationId: row.correlation_id,
    state: row.state,
    amount: row.amount,
    charged: row.charged,
    taken: taken.get(row.id) ?? 0,
  }));
}
