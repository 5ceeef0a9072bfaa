/** The vault's command line. Nothing else is imported before the runtime is known to be able to. */
import { enableCompileCache } from 'node:module';

const NODE_MAJOR_MIN = 24;

const major = Number(process.versions.node.split('.')[0]);
if (major < NODE_MAJOR_MIN) {
  process.stderr.write(
    `vault: needs Node ${NODE_MAJOR_MIN} or newer, this is ${process.versions.node}; run it as "npx pnpm@12 exec node packages/vault/src/main.ts"\n`,
  );
  process.exit(1);
}

// A third of the time that a start takes: a vault that died is back sooner.
enableCompileCache();
const { run } = await import('./cli/run.ts');
process.exitCode = await run(process.argv.slice(2), process.env);
