/** Entry point of core: `node packages/core/src/main.ts <command>`. */
const NODE_MAJOR_MIN = 24;

const major = Number(process.versions.node.split('.')[0]);
if (major < NODE_MAJOR_MIN) {
  process.stderr.write(
    `arbstr core needs Node ${NODE_MAJOR_MIN} or newer and this is ${process.versions.node}: start it with "npx pnpm@12 exec node packages/core/src/main.ts …", which brings its own.\n`,
  );
  process.exit(1);
}
// Compiled code is kept in the system's temporary folder, which saves a third of the start.
const { enableCompileCache } = await import('node:module');
enableCompileCache();
// Loaded only now: older versions of Node crash on better-sqlite3 without a word.
const { run } = await import('./cli/run.ts');
await run(process.argv.slice(2));

export {};
