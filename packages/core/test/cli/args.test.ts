import { describe, expect, it } from 'vitest';
import { HELP, parseCommand } from '../../src/cli/args.ts';

const SERVE = { name: 'serve', configPath: null, listen: null, mock: false };

describe('the command line', () => {
  it.each<[string, object]>([
    ['serve', SERVE],
    ['serve -c a.toml', { ...SERVE, configPath: 'a.toml' }],
    ['serve --config=a.toml', { ...SERVE, configPath: 'a.toml' }],
    ['serve -l 0.0.0.0:9', { ...SERVE, listen: { host: '0.0.0.0', port: 9 } }],
    ['serve --listen [::1]:0', { ...SERVE, listen: { host: '::1', port: 0 } }],
    ['serve --mock', { ...SERVE, mock: true }],
    [
      'serve --mock -l 127.0.0.1:1',
      { ...SERVE, mock: true, listen: { host: '127.0.0.1', port: 1 } },
    ],
    ['check', { name: 'check', configPath: null }],
    ['check -c a.toml', { name: 'check', configPath: 'a.toml' }],
    ['providers --config a.toml', { name: 'providers', configPath: 'a.toml' }],
    ['--version', { name: 'version' }],
    ['-V', { name: 'version' }],
    ['serve --version', { name: 'version' }],
    ['--help', { name: 'help' }],
    ['check -h', { name: 'help' }],
    ['help', { name: 'help' }],
    ['', { name: 'help' }],
  ])('"%s" is understood', (line, command) => {
    expect(parseCommand(line.split(' ').filter(Boolean))).toEqual(command);
  });

  it.each([
    ['sreve', 'unknown command "sreve"; there are serve, check and providers'],
    ['serve --port 1', "Unknown option '--port'"],
    ['serve extra', "Unexpected argument 'extra'"],
    ['serve -c', "'-c, --config <value>' argument missing"],
    ['serve --config=', '--config is empty; give the path of a file'],
    ['serve -l 8080', '--listen must be HOST:PORT'],
    ['serve -l 127.0.0.1:99999', '--listen must be HOST:PORT'],
    ['serve --mock -c a.toml', '--mock brings its own configuration; leave out -c'],
    ['check --mock', "Unknown option '--mock'"],
    ['--mock', "Unknown option '--mock'"],
  ])('"%s" is a mistake', (line, message) => {
    const command = parseCommand(line.split(' '));
    expect(command).toMatchObject({ name: 'mistake', message: expect.stringContaining(message) });
  });

  it('names every command and option in its help', () => {
    for (const word of [
      'serve',
      'check',
      'providers',
      '--config',
      '--listen',
      '--mock',
      '--version',
    ]) {
      expect(HELP).toContain(word);
    }
  });
});
