import { type LoadResult, loadConfig } from '../../src/config/load.ts';
import type { Config, ProviderConfig } from '../../src/config/types.ts';

export const PATH = 'conf/config.toml';

export function load(
  text: string,
  env: Record<string, string> = {},
  mode: number | null = 0o600,
): LoadResult {
  return loadConfig({ path: PATH, env, readFile: () => ({ text, mode }) });
}

/** The configuration of a text that must be valid. */
export function config(text: string, env: Record<string, string> = {}): Config {
  const result = load(text, env);
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 1));
  return result.config;
}

export const provider = (text: string, env: Record<string, string> = {}): ProviderConfig =>
  config(text, env).providers[0]!;

/** "line: message" of each problem. */
export function problems(text: string, env: Record<string, string> = {}): string[] {
  const result = load(text, env);
  return result.ok ? [] : result.problems.map(({ line, message }) => `${line}: ${message}`);
}

export function warnings(text: string, env: Record<string, string> = {}, mode = 0o600): string[] {
  const result = load(text, env, mode);
  if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 1));
  return result.warnings.map(({ line, message }) => `${line}: ${message}`);
}

/** Five lines that are a valid provider; `more` begins in line 6. */
export const PROVIDER = `[[providers]]
name = "alpha"
url = "https://alpha.example/v1"
models = ["m"]
input_rate = 8000
`;
export const withProvider = (more: string): string => `${PROVIDER}${more}`;
