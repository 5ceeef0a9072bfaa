/** `check`: is this file fit to serve, and where does each key come from? */
import { conventionVariable } from '../config/read-provider.ts';
import type { Config, ProviderConfig } from '../config/types.ts';
import { type CommandInput, type CommandResult, lines, withConfig } from './command.ts';

export function check(input: CommandInput): CommandResult {
  return withConfig(input, ({ config, warnings }, file) =>
    [
      'Configuration is valid!\n',
      summary(config),
      ...keyStatus(config.providers),
      ...feedStatus(config.providers),
      lines(file, warnings, 'warning: '),
    ].join(''),
  );
}

function summary({ server, vault, providers }: Config): string {
  const host = server.host.includes(':') ? `[${server.host}]` : server.host;
  return [
    `Listen: ${host}:${server.port}\n`,
    `Billing: ${vault === null ? 'none (free mode)' : vault.url}\n`,
    `Providers: ${providers.length}\n`,
  ].join('');
}

function keyStatus(providers: readonly ProviderConfig[]): string[] {
  if (providers.length === 0) return [];
  return ['Provider key status:\n', ...providers.map((p) => `  ${p.name}: ${keyOrigin(p)}\n`)];
}

function keyOrigin({ name, kind, keySource }: ProviderConfig): string {
  const variable = conventionVariable(name);
  switch (keySource) {
    case 'literal':
      return `key from config-literal (WARNING: better from \${VAR}, outside the file)`;
    case 'env':
      return 'key from env-expanded';
    case 'convention':
      return `key from convention (${variable})`;
    case 'none':
      if (kind === 'mock') return 'no key (a mock needs none)';
      return `no key (set ${variable} or add api_key to config)`;
  }
}

/** Nothing is asked over the network here. */
function feedStatus(providers: readonly ProviderConfig[]): string[] {
  const feeds = providers.flatMap(({ name, kind, discovery }) =>
    discovery === null ? [] : [`  ${name}: ${kind}, every ${discovery.refreshMs / 1000} s\n`],
  );
  if (feeds.length === 0) return [];
  return ['Feeds (not read now; a running core shows them at GET /providers):\n', ...feeds];
}
