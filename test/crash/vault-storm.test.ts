/** The vault alone, killed again and again under a storm of its own commands. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { commandStorm, expectKept, FUNDS_MSAT } from './support/commands.ts';
import { type Gated, restartVault, startGated } from './support/gated.ts';
import { type Random, seeded } from './support/random.ts';

const CALLERS = 32;
const KILLS = 10;

let gated: Gated;

beforeAll(async () => {
  gated = await startGated();
  // Only the vault is in question here.
  await gated.stack.core.kill();
});
afterAll(() => gated?.stop());

it('keeps what it has answered, and nothing else', { timeout: 120_000 }, () =>
  seeded(async (random) => {
    const { stack } = gated;
    const agents = await Promise.all(
      Array.from({ length: 3 }, () => stack.agent({ fundMsat: FUNDS_MSAT })),
    );
    const promised = await commandStorm(stack, random, agents, CALLERS, kill(random.fork('blows')));
    const outcomes = Object.groupBy(promised, ({ state }) => state);
    expect(outcomes.settled?.length).toBeGreaterThan(20);
    expect(outcomes.released?.length).toBeGreaterThan(3);
    expect(outcomes.absent?.length).toBeGreaterThan(0);
    await expectKept(stack, promised, agents);
  }),
);

async function kill(random: Random): Promise<void> {
  for (let nth = 0; nth < KILLS; nth++) {
    await new Promise((resolve) => setTimeout(resolve, random.int(100, 1_200)));
    await restartVault(gated);
  }
}
