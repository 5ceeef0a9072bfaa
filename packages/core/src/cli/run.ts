/** What each command of core does to the process: prints, serves, sets the exit code. */
import type { Logger } from 'pino';
import packageJson from '../../package.json' with { type: 'json' };
import { type ConfigFile, readConfigFile } from '../config/config-file.ts';
import { type LoadResult, loadConfig } from '../config/load.ts';
import { mockConfig } from '../config/mock.ts';
import type { Config } from '../config/types.ts';
import { type ConfigOrigin, createLog, startCore } from '../serve.ts';
import { type Command, HELP, parseCommand } from './args.ts';
import { check } from './check.ts';
import { type CommandInput, type CommandResult, configPath, lines } from './command.ts';
import { providers } from './providers.ts';

const LOG_FLUSH_MS = 500;

export async function run(argv: readonly string[]): Promise<void> {
  const command = parseCommand(argv);
  switch (command.name) {
    case 'help':
      print({ code: 0, stdout: HELP, stderr: '' });
      return;
    case 'version':
      print({ code: 0, stdout: `arbstr core ${packageJson.version}\n`, stderr: '' });
      return;
    case 'mistake':
      print({ code: 1, stdout: '', stderr: `${command.message}\n` });
      return;
    case 'check':
      print(check(input(argv)));
      return;
    case 'providers':
      print(await providers(input(argv)));
      return;
    case 'serve':
      await serve(command);
      return;
  }
}

function input(argv: readonly string[]): CommandInput {
  return { argv, env: process.env, readFile: readConfigFile };
}

function print(result: CommandResult): void {
  process.stdout.write(result.stdout);
  process.stderr.write(result.stderr);
  process.exitCode = result.code;
}

async function serve(command: Command & { name: 'serve' }): Promise<void> {
  const start = command.mock
    ? { config: listeningOn(mockConfig(), command.listen), origin: null }
    : readConfig(command.configPath, command.listen);
  if (start === null) return;
  const { config, origin } = start;
  const { server } = config;
  const log = createLog(config.logging.level);
  try {
    const core = await startCore(config, log, origin);
    if (origin !== null) process.on('SIGHUP', () => void core.reload());
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        void core
          .close()
          .then(() => flushed(log))
          .then(() => process.exit(0));
      });
    }
  } catch (error) {
    print({ code: 1, stdout: '', stderr: `arbstr core cannot start: ${explain(error, server)}\n` });
  }
}

/**
 * Waits for the last lines. Where nobody reads them any more (a closed pipe), the wait is what lets
 * the logger notice, whose flush at exit would else try for ever.
 */
function flushed(log: Logger): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, LOG_FLUSH_MS);
    log.flush(() => resolve());
  });
}

type Listen = (Command & { name: 'serve' })['listen'];

/** The command line's word on where to listen goes before the file's. */
function listeningOn(config: Config, listen: Listen): Config {
  return listen === null ? config : { ...config, server: { ...config.server, ...listen } };
}

function readConfig(
  option: string | null,
  listen: Listen,
): { config: Config; origin: ConfigOrigin } | null {
  const path = configPath(option, process.env);
  let text = '';
  const load = (readFile: (path: string) => ConfigFile): LoadResult => {
    const loaded = loadConfig({ path, env: process.env, readFile });
    return loaded.ok ? { ...loaded, config: listeningOn(loaded.config, listen) } : loaded;
  };
  const loaded = load((from) => {
    const file = readConfigFile(from);
    text = file.text;
    return file;
  });
  if (!loaded.ok) {
    print({ code: 1, stdout: '', stderr: lines(path, loaded.problems) });
    return null;
  }
  process.stderr.write(lines(path, loaded.warnings, 'warning: '));
  return { config: loaded.config, origin: { path, text, load: (file) => load(() => file) } };
}

function explain(error: unknown, { host, port }: { host: string; port: number }): string {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'EADDRINUSE') {
    return `port ${port} on ${host} is taken; stop what listens there, or choose another with --listen HOST:PORT or server.listen`;
  }
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL') {
    return `${host}:${port} cannot be listened on (${code}); choose another with --listen HOST:PORT or server.listen`;
  }
  return message;
}
