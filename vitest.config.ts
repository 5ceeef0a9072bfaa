import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/e2e/**/*.test.ts'],
    // Many tests wait for processes, so every core may have a worker.
    maxWorkers: '100%',
    // The files share their worker's modules, of which none keeps state: a third less CPU time.
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
