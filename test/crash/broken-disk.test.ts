/**
 * The file system turns read-only under open files, as ext4 does after an error of its device. The
 * service may refuse or end, with a reason in either case; nothing acknowledged is lost.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startService, until } from '../support/process.ts';
import type { Agent } from '../support/stack.ts';
import { ask } from './support/ask.ts';
import { type BreakableDisk, mountBreakableDisk, whyNoDisks } from './support/disk.ts';
import { type Gated, startGated } from './support/gated.ts';
import { callVault, newReservationId } from './support/vault-api.ts';
import { type Bill, expectWhole, healthOf } from './support/whole.ts';

const noDisks = whyNoDisks();
const DISK_MEBIBYTES = 32;

let gated: Gated;
let disk: BreakableDisk;
let agent: Agent;

describe.skipIf(noDisks !== null)(`read-only ${noDisks ?? ''}`, () => {
  beforeEach(() => {
    disk = mountBreakableDisk(DISK_MEBIBYTES);
  });
  afterEach(async () => {
    await gated?.stop();
    disk.remove();
  });

  it('under the vault', async () => {
    gated = await startGated({ folders: { vault: disk.path } });
    const { stack } = gated;
    agent = await stack.agent();
    gated.behave = () => ({ answer: ' word'.repeat(100), chunkDelayMs: 20 });
    const stream = ask(stack, { id: 'under-way', agent, stream: true });
    await until(() => stream.text !== '');
    const before = ask(stack, { id: 'before', agent });
    expect(await before.ended).toBe('whole');

    disk.break();
    const reserve = await callVault(stack, 'POST', '/reserve', {
      agent_token: agent.token,
      amount_msats: 1,
      correlation_id: 'direct',
      model: 'gpt-4o',
      reservation_id: newReservationId(),
    });
    // Refused with the reason, or the process has ended with it: the commit's outcome was unknown.
    if (reserve !== null) {
      expect(reserve.status).toBe(503);
      expect(JSON.stringify(reserve.body)).toMatch(/storage_unavailable|outcome_unknown/);
    }
    await until(() => /read-only|I\/O error/.test(stack.vault!.output()));
    const refused = ask(stack, { id: 'refused', agent });
    expect(await refused.ended).toBe('whole');
    expect([refused.status, refused.errorCode]).toEqual([503, 'vault_unavailable']);
    expect(gated.callsOf('refused')).toHaveLength(0);
    expect(await stream.ended).toBe('whole');
    expect(stream.complete).toBe(true);

    await stack.vault!.kill();
    disk.protect();
    // Whoever reads is served, and told why nothing more is.
    await stack.startVault();
    const health = await fetch(`${stack.vault!.url}/health`);
    expect(health.status).toBe(503);
    expect(await health.text()).toMatch(
      /"readable":true,"writable":false,"reason":"[^"]*read-only/,
    );
    expect((await stack.balance(agent)).held).toBeGreaterThan(0);
    await stack.vault!.kill();
    disk.repair();
    await stack.startVault();
    const bills: Record<string, Bill> = {
      before: before.costMsat!,
      refused: 0,
      'under-way': stream.costMsat!,
      direct: 0,
    };
    await expectWhole(stack, [agent], bills);
  });

  it('under core', async () => {
    gated = await startGated({ folders: { core: disk.path } });
    const { stack } = gated;
    agent = await stack.agent();
    gated.behave = () => ({ answer: ' word'.repeat(100), chunkDelayMs: 20 });
    const stream = ask(stack, { id: 'under-way', agent, stream: true });
    await until(() => stream.text !== '');

    disk.break();
    const refused = ask(stack, { id: 'refused', agent });
    expect(await refused.ended).toBe('whole');
    expect([refused.status, refused.errorCode]).toEqual([503, 'storage_unavailable']);
    expect(gated.callsOf('refused')).toHaveLength(0);
    expect((await healthOf(stack)).journal).toMatch(/readonly|read-only|I\/O/);
    expect(await stream.ended).toBe('whole');
    expect(stream.complete).toBe(true);
    await until(async () => (await stack.balance(agent)).held === 0);

    await stack.core.kill();
    disk.protect();
    const second = await startService({
      args: ['packages/core/src/main.ts', 'serve', '-c', stack.configPath],
      port: 0,
      dontWait: true,
    });
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.output()).toMatch(
      /^arbstr core cannot start: [^\n]*(writable|read-?only)[^\n]*\n$/,
    );
    disk.repair();
    await stack.startCore();
    // The journal could not be told that the vault has settled; the vault's books stand.
    const bills = { refused: 0, 'under-way': stream.costMsat! };
    await expectWhole(stack, [agent], bills);
  });
});
