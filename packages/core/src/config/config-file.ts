import { readFileSync, statSync } from 'node:fs';

export interface ConfigFile {
  readonly text: string;
  /** Permission bits; null where the system has none. */
  readonly mode: number | null;
}

/** A configuration is a few kilobytes; more is the wrong file. */
const BYTES_MAX = 4 * 1024 * 1024;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file; give its path with -c or ARBSTR_CONFIG',
  ENOTDIR: 'there is no such file; give its path with -c or ARBSTR_CONFIG',
  EACCES: 'permission denied; let the user that runs arbstr read it',
  EPERM: 'permission denied; let the user that runs arbstr read it',
  EISDIR: 'this is a folder; give the path of the file in it',
};

/** Throws an Error whose message says what is wrong and how to fix it. */
export function readConfigFile(path: string): ConfigFile {
  let bytes: Buffer;
  let mode: number;
  try {
    const stat = statSync(path);
    if (stat.size > BYTES_MAX) throw new Error('this is larger than 4 MiB; give a config.toml');
    mode = stat.mode;
    bytes = readFileSync(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(code === undefined ? message : (REASONS[code] ?? `cannot be read (${code})`));
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { text, mode: process.platform === 'win32' ? null : mode & 0o777 };
  } catch {
    throw new Error('this is not UTF-8; save it as UTF-8');
  }
}
