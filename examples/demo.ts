/**
 * `npx pnpm@12 demo`: the whole of arbstr in one terminal. Starts a vault (simulated wallet) and a
 * core (three mock providers), funds an agent, sends a first request, shows what it cost, and
 * serves until Ctrl-C.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { type Agent, balanceOf, createFundedAgent, settledBalance } from './demo/agent.ts';
import { DemoError } from './demo/demo-error.ts';
import { ask } from './demo/first-request.ts';
import { checkPorts, readOptions } from './demo/options.ts';
import { answerPrinter, printBill, printLines, printStack, say } from './demo/print.ts';
import { prepare, type Setup } from './demo/setup.ts';
import { startStack } from './demo/stack.ts';

/** A request that fails because a service died is explained by that death, if it shows up in time. */
const DEATH_SHOWS_MS = 500;

async function main(args: string[]): Promise<void> {
  const stop = stopRequested();
  const options = readOptions(args);
  if (options === null) return;
  await checkPorts(options);
  const setup = prepare(options);
  let serving = false;
  const stack = startStack(setup, (line) => {
    if (serving) say(line);
  });
  // Whatever ends this process, nothing of it is left.
  process.on('exit', () => {
    stack.kill();
    setup.remove();
  });
  try {
    await Promise.race([stop, stack.died, demonstrate()]);
  } catch (error) {
    const death = stack.died.catch((reason: Error) => reason);
    throw (await Promise.race([death, wait(DEATH_SHOWS_MS)])) ?? error;
  } finally {
    serving = false;
    await stack.end();
  }

  async function demonstrate(): Promise<void> {
    await stack.ready();
    const agent = await createFundedAgent(setup);
    printStack(setup, agent);
    await firstRequest(setup, agent);
    if (options?.once) return;
    printLines(setup, agent);
    serving = true;
    await stop;
  }
}

async function firstRequest(setup: Setup, agent: Agent): Promise<void> {
  const { availableMsat: beforeMsat } = await balanceOf(setup, agent);
  const { bill, availableWhileHeldMsat } = await ask(setup, agent, answerPrinter()).finally(say);
  const { availableMsat: afterMsat } = await settledBalance(setup, agent);
  const billMsat = bill.cost_msats;
  if (beforeMsat - billMsat !== afterMsat) {
    throw new DemoError(
      `the balance went from ${beforeMsat} to ${afterMsat} msat, but the bill is ${billMsat}`,
    );
  }
  const heldMsat = beforeMsat - availableWhileHeldMsat;
  printBill(bill, { beforeMsat, heldMsat, billMsat, afterMsat });
}

/** At the first signal, or when nobody reads the output any more. The second signal is in a hurry. */
function stopRequested(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (asked) process.exit(1);
        asked = true;
        resolve();
      });
    }
    process.stdout.on('error', () => resolve());
  });
}

try {
  await main(process.argv.slice(2));
  process.exit(0);
} catch (error) {
  process.stderr.write(`arbstr demo: ${(error as Error).message}\n`);
  process.exit(1);
}
