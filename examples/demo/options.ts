import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { DemoError } from './demo-error.ts';

export interface DemoOptions {
  /** End after the bill. */
  readonly once: boolean;
  readonly corePort: number;
  readonly vaultPort: number;
}

const HELP = `Starts a vault, a core and three mock providers, and sends a first request.

  npx pnpm@12 demo [--once] [--core-port 8080] [--vault-port 3010]

  --once         end after the bill instead of serving until Ctrl-C
  --core-port    where core listens
  --vault-port   where the vault listens
`;

const NODE_MAJOR_MIN = 24;

/** Null = only the help was asked for, and it has been printed. */
export function readOptions(args: string[]): DemoOptions | null {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < NODE_MAJOR_MIN) {
    throw new DemoError(
      `the demo needs Node ${NODE_MAJOR_MIN} and this is ${process.versions.node}: start it with "npx pnpm@12 demo", which brings its own`,
    );
  }
  const values = parse(args);
  if (values.help) {
    process.stdout.write(HELP);
    return null;
  }
  const corePort = portOf('--core-port', values['core-port']);
  const vaultPort = portOf('--vault-port', values['vault-port']);
  if (corePort === vaultPort) {
    throw new DemoError(`--core-port and --vault-port are both ${corePort}: choose two ports`);
  }
  return { once: values.once, corePort, vaultPort };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        once: { type: 'boolean', default: false },
        'core-port': { type: 'string', default: '8080' },
        'vault-port': { type: 'string', default: '3010' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    throw new DemoError(`${(error as Error).message.split('. ')[0]} (see --help)`);
  }
}

function portOf(option: string, text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new DemoError(`${option} must be a port from 1 to 65535, not "${text}"`);
}

/** Asked before anything starts, so that a taken port is one line and not half a stack. */
export async function checkPorts({ corePort, vaultPort }: DemoOptions): Promise<void> {
  await checkPort('core', corePort, '--core-port');
  await checkPort('vault', vaultPort, '--vault-port');
}

function checkPort(name: string, port: number, option: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', ({ code }: NodeJS.ErrnoException) => {
      const why = code === 'EADDRINUSE' ? 'is taken' : `cannot be listened on (${code})`;
      reject(
        new DemoError(
          `port ${port}, where ${name} should listen, ${why}: stop what listens there, or choose another with ${option} PORT`,
        ),
      );
    });
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve()));
  });
}
