/** The command line of core, parsed in one place for every command. */
import { parseArgs } from 'node:util';
import { parseListen } from '../config/address.ts';

export type Command =
  | {
      readonly name: 'serve';
      /** null = ARBSTR_CONFIG, else ./config.toml. */
      readonly configPath: string | null;
      /** null = as the configuration says. */
      readonly listen: { readonly host: string; readonly port: number } | null;
      /** The built-in configuration instead of a file. */
      readonly mock: boolean;
    }
  | { readonly name: 'check' | 'providers'; readonly configPath: string | null }
  | { readonly name: 'version' | 'help' }
  | { readonly name: 'mistake'; readonly message: string };

export const HELP = `arbstr: routes each LLM request to the cheapest qualified provider

Usage: node packages/core/src/main.ts <command> [options]

Commands:
  serve       answer requests
                -c, --config FILE       configuration (ARBSTR_CONFIG, else ./config.toml)
                -l, --listen HOST:PORT  instead of server.listen
                    --mock              three built-in providers; needs no file and no keys
  check       check the configuration [-c FILE]
  providers   list the providers with their prices, as their feeds say now [-c FILE]

  -h, --help     this text
  -V, --version  the version
`;

const CONFIG = { config: { type: 'string', short: 'c' } } as const;
const SERVE = {
  ...CONFIG,
  listen: { type: 'string', short: 'l' },
  mock: { type: 'boolean' },
} as const;
const COMMON = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'V' },
} as const;

const SEE_HELP = 'see --help';

/** `argv` without node and the script. Never throws: a mistake is a command of its own. */
export function parseCommand(argv: readonly string[]): Command {
  const [name, ...rest] = argv;
  try {
    switch (name) {
      case 'serve':
        return parseServe(rest);
      case 'check':
      case 'providers': {
        const { values } = parseArgs({ args: rest, options: { ...CONFIG, ...COMMON } });
        return asked(values) ?? { name, configPath: path(values.config) };
      }
      default:
        return parseBare(argv);
    }
  } catch (error) {
    return mistake((error as Error).message);
  }
}

function parseServe(args: string[]): Command {
  const { values } = parseArgs({ args, options: { ...SERVE, ...COMMON } });
  const instead = asked(values);
  if (instead !== null) return instead;
  const mock = values.mock ?? false;
  if (mock && values.config !== undefined) {
    return mistake('--mock brings its own configuration; leave out -c');
  }
  const listen = values.listen === undefined ? null : parseListen(values.listen);
  if (values.listen !== undefined && listen === null) {
    return mistake('--listen must be HOST:PORT, such as 127.0.0.1:8080');
  }
  return { name: 'serve', configPath: path(values.config), listen, mock };
}

function parseBare(argv: readonly string[]): Command {
  const [name] = argv;
  if (name === undefined || name === 'help') return { name: 'help' };
  if (name === 'version') return { name: 'version' };
  if (!name.startsWith('-')) {
    return mistake(`unknown command "${name}"; there are serve, check and providers`);
  }
  const { values } = parseArgs({ args: [...argv], options: COMMON });
  return asked(values) ?? mistake('a command is missing: serve, check or providers');
}

function asked(values: { help?: boolean; version?: boolean }): Command | null {
  if (values.help) return { name: 'help' };
  return values.version ? { name: 'version' } : null;
}

function path(value: string | undefined): string | null {
  if (value === '') throw new Error('--config is empty; give the path of a file');
  return value ?? null;
}

function mistake(message: string): Command {
  return { name: 'mistake', message: `${message} (${SEE_HELP})` };
}
