import { type Finding, formatFinding } from '../config/findings.ts';
import { type ConfigSource, type LoadResult, loadConfig } from '../config/load.ts';
import { parseCommand } from './args.ts';

/** What a command says and how it ends; `main` prints it. */
export interface CommandResult {
  readonly code: 0 | 1;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandInput {
  /** As given to the program: `['check', '-c', 'config.toml']`. */
  readonly argv: readonly string[];
  readonly env: ConfigSource['env'];
  readonly readFile: ConfigSource['readFile'];
}

/** `-c`, else ARBSTR_CONFIG, else ./config.toml. */
export function configPath(option: string | null, env: ConfigSource['env']): string {
  return option ?? (env.ARBSTR_CONFIG || 'config.toml');
}

export interface LoadedFile {
  readonly loaded: LoadResult & { ok: true };
  readonly file: string;
}

/** The file that the command line names, or what is wrong with it, which ends the command with 1. */
export function loadFile({ argv, env, readFile }: CommandInput): LoadedFile | CommandResult {
  const command = parseCommand(argv);
  if (command.name === 'mistake') return failed(`${command.message}\n`);
  const path = configPath('configPath' in command ? command.configPath : null, env);
  const loaded = loadConfig({ path, env, readFile });
  return loaded.ok ? { loaded, file: path } : failed(lines(path, loaded.problems));
}

export const succeeded = (stdout: string): CommandResult => ({ code: 0, stdout, stderr: '' });

/** One line per finding, each ended. */
export function lines(file: string, findings: readonly Finding[], label = ''): string {
  return findings
    .map(({ line, message }) => `${formatFinding(file, { line, message: label + message })}\n`)
    .join('');
}

function failed(stderr: string): CommandResult {
  return { code: 1, stdout: '', stderr };
}
