/** The ledger as a person would do it on paper: slow, obvious, and sharing no code with it. */

export interface ModelReservation {
  agent: number | null;
  state: 'held' | 'settled' | 'released' | 'expired' | 'settled_late';
  amount: number;
  createdMs: number;
  expiresMs: number;
  asked: number;
  charged: number;
}

export interface ModelAgent {
  available: number;
  held: number;
  maxTransaction: number | null;
  dailyLimit: number | null;
  charges: { reservedMs: number; amount: number }[];
}

const DAY_MS = 24 * 60 * 60 * 1000;
const MINUTE_MS = 60 * 1000;

export class Model {
  readonly agents: ModelAgent[];
  readonly reservations = new Map<string, ModelReservation>();
  deposited = 0;
  revenue = 0;
  loss = 0;

  constructor(agents: ModelAgent[]) {
    this.agents = agents;
  }

  /** A charge leaves when the last moment of its reserve's minute is 24 h old. */
  spent(agent: number, nowMs: number): number {
    return this.agents[agent]!.charges.filter(({ reservedMs }) => {
      const endOfMinute = Math.floor(reservedMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
      return nowMs < endOfMinute + DAY_MS;
    }).reduce((sum, { amount }) => sum + amount, 0);
  }

  credit(agent: number, amount: number): string {
    this.agents[agent]!.available += amount;
    this.deposited += amount;
    return 'ok';
  }

  reserve(id: string, agent: number, amount: number, holdMs: number, nowMs: number): string {
    const known = this.reservations.get(id);
    if (known) {
      if (known.agent === null) return 'already_released';
      if (known.agent !== agent || known.amount !== amount) return 'idempotency_conflict';
      return known.state;
    }
    const owner = this.agents[agent]!;
    if (owner.available < amount) return 'insufficient_balance';
    if (owner.maxTransaction !== null && amount > owner.maxTransaction) return 'policy_denied';
    const committed = this.spent(agent, nowMs) + owner.held + amount;
    if (owner.dailyLimit !== null && committed > owner.dailyLimit) return 'policy_denied';
    owner.available -= amount;
    owner.held += amount;
    this.reservations.set(id, {
      agent,
      state: 'held',
      amount,
      createdMs: nowMs,
      expiresMs: nowMs + holdMs,
      asked: 0,
      charged: 0,
    });
    return 'held';
  }

  settle(id: string, asked: number): string {
    const known = this.reservations.get(id);
    if (!known || known.agent === null) return known ? 'already_released' : 'not_found';
    const owner = this.agents[known.agent]!;
    switch (known.state) {
      case 'held': {
        const charged = Math.min(asked, known.amount);
        owner.held -= known.amount;
        owner.available += known.amount - charged;
        return this.#charge(known, 'settled', asked, charged);
      }
      case 'expired': {
        const due = Math.min(asked, known.amount);
        const charged = Math.min(due, owner.available);
        owner.available -= charged;
        this.loss += due - charged;
        this.revenue += due - charged;
        return this.#charge(known, 'settled_late', asked, charged);
      }
      case 'released':
        return 'already_released';
      default:
        return known.asked === asked ? `charged ${known.charged}` : 'already_settled_differently';
    }
  }

  release(id: string, nowMs: number): string {
    const known = this.reservations.get(id);
    if (!known) {
      const tombstone = { agent: null, amount: 0, asked: 0, charged: 0, createdMs: nowMs };
      this.reservations.set(id, { ...tombstone, state: 'released', expiresMs: nowMs });
      return 'refunded 0';
    }
    if (known.state === 'settled' || known.state === 'settled_late') return 'already_settled';
    if (known.state === 'held') this.#giveBack(known, 'released');
    return `refunded ${known.state === 'expired' ? 0 : known.amount}`;
  }

  extend(id: string, holdMs: number, nowMs: number): string {
    const known = this.reservations.get(id);
    if (!known) return 'not_found';
    if (known.state === 'expired') return 'expired';
    if (known.state === 'released') return 'already_released';
    if (known.state !== 'held') return 'already_settled';
    known.expiresMs = Math.max(known.expiresMs, nowMs + Math.min(holdMs, 3_600_000));
    return `until ${known.expiresMs}`;
  }

  expire(nowMs: number): string {
    let count = 0;
    for (const known of this.reservations.values()) {
      if (known.state !== 'held' || known.expiresMs > nowMs) continue;
      this.#giveBack(known, 'expired');
      count++;
    }
    return `expired ${count}`;
  }

  prolong(byMs: number): string {
    let count = 0;
    for (const known of this.reservations.values()) {
      if (known.state !== 'held') continue;
      known.expiresMs += byMs;
      count++;
    }
    return `prolonged ${count}`;
  }

  #giveBack(known: ModelReservation, state: 'released' | 'expired'): void {
    const owner = this.agents[known.agent!]!;
    owner.held -= known.amount;
    owner.available += known.amount;
    known.state = state;
  }

  #charge(
    known: ModelReservation,
    state: 'settled' | 'settled_late',
    asked: number,
    charged: number,
  ): string {
    known.state = state;
    known.asked = asked;
    known.charged = charged;
    this.revenue += charged;
    this.agents[known.agent!]!.charges.push({ reservedMs: known.createdMs, amount: charged });
    return `charged ${charged}`;
  }
}
