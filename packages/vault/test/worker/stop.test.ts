/** A stop ends within the time that a process has for it, whoever hangs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, expect, test, vi } from 'vitest';
import { CheckpointExporter } from '../../src/audit/checkpoint/exporter.ts';
import { exportInWorker } from '../../src/audit/in-worker.ts';
import { closeVaults, openVault, TestClock, temporaryFolder } from '../support/vault.ts';

afterEach(closeVaults);

test('workers are stopped together: none waits for what another one waits for', async () => {
  const webhook = { url: 'http://127.0.0.1:1/', secret: 'secret-of-the-webhooks-0123456789' };
  const vault = await openVault({ webhook });
  const { runner, payoutRunner, depositWatcher, courier, watch, checkpoints } = vault;
  const workers = [runner, payoutRunner, depositWatcher, courier!, watch, checkpoints];
  const all = Promise.withResolvers<void>();
  let stopping = 0;
  for (const worker of workers) {
    const stop = worker.stop.bind(worker);
    vi.spyOn(worker, 'stop').mockImplementation(async () => {
      if (++stopping === workers.length) all.resolve();
      await all.promise;
      await stop();
    });
  }
  await vault.close();
  expect(stopping).toBe(workers.length);
});

test('a checkpoint that is being written is given up, and that is no failure', async () => {
  const lines: string[] = [];
  const exporter = new CheckpointExporter({
    exportTo: (_path, _previous, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('given up')));
      }),
    folder: join(temporaryFolder(), 'checkpoints'),
    everyMs: 1_000,
    time: new TestClock(),
    log: pino({ level: 'info' }, { write: (line: string) => lines.push(line) }),
  });
  const round = exporter.tick();
  await exporter.stop();
  await round;
  expect(lines).toEqual([]);
});

test('the thread that writes it ends with the signal', async () => {
  const vault = await openVault();
  const path = `${vault.path}.checkpoint`;
  const config = { databasePath: vault.path, auditKey: null };
  const stopping = new AbortController();
  const writing = exportInWorker(config, path, null, stopping.signal);
  stopping.abort();
  await expect(writing).rejects.toThrow('checkpoint ended with');
  await expect(exportInWorker(config, path, null, stopping.signal)).rejects.toThrow('aborted');
  writeFileSync(path, '', { flag: 'wx' });
});
