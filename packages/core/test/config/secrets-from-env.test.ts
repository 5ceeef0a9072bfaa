// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are variables of the configuration file
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { config, load, problems, provider, withProvider } from './load-text.ts';

const PRICED = withProvider('output_rate = 8000\n');

describe('${VAR}', () => {
  it('is filled in in every string of the file', () => {
    const env = {
      HOST: '0.0.0.0',
      PORT: '9',
      DB: '/d',
      V: 'vault',
      T: 'tok-0123456789',
      M: 'mm',
      TIER: 'local',
    };
    const found = config(
      `[server]
listen = "\${HOST}:\${PORT}"
auth_token = "\${T}"
[database]
path = "\${DB}/arbstr.db"
[vault]
url = "http://\${V}:3010"
internal_token = "a-\${T}-\${T}"
[[providers]]
name = "n-\${M}"
url = "https://\${V}/v1"
api_key = "\${T}"
models = ["\${M}"]
tier = "\${TIER}"
input_rate = 1000
output_rate = 1000
`,
      env,
    );
    expect(found.server).toMatchObject({ host: '0.0.0.0', port: 9 });
    expect(found.server.authToken?.reveal()).toBe('tok-0123456789');
    expect(found.database.path).toBe('/d/arbstr.db');
    expect(found.vault?.url).toBe('http://vault:3010');
    expect(found.vault?.internalToken.reveal()).toBe('a-tok-0123456789-tok-0123456789');
    expect(found.providers[0]).toMatchObject({
      name: 'n-mm',
      url: 'https://vault/v1',
      keySource: 'env',
      models: ['mm'],
      tier: 'local',
    });
    expect(found.providers[0]?.apiKey?.reveal()).toBe('tok-0123456789');
  });

  it.each([
    ['${MISSING}', 'environment variable MISSING is not set; set it, or write the value here'],
    [
      'a${A}${MISSING}b',
      'environment variable MISSING is not set; set it, or write the value here',
    ],
    ['${A', '"${" without "}"; write ${NAME}'],
    ['${}', '"${…}" must hold the name of an environment variable, such as ${ALPHA_KEY}'],
    ['${not a name}', '"${…}" must hold the name of an environment variable, such as ${ALPHA_KEY}'],
    ['${EMPTY}', 'api_key is empty; give it a value'],
    [
      '${BREAK}',
      'api_key holds a line break or control character; clean the variable that it is read from',
    ],
  ])('%s is a mistake in its line, and only one', (text, message) => {
    const env = { A: 'a', EMPTY: '', BREAK: 'key\n' };
    expect(problems(`${PRICED}api_key = "${text}"\n`, env)).toEqual([`7: ${message}`]);
  });

  it('names every missing variable', () => {
    const text = `${PRICED}api_key = "\${ONE}-\${TWO}"\n`;
    expect(problems(text)).toEqual([
      expect.stringContaining('7: environment variable ONE'),
      expect.stringContaining('7: environment variable TWO'),
    ]);
  });

  it('is not looked for in what a variable holds, nor in a lone dollar', () => {
    const key = (text: string, env: Record<string, string>) =>
      provider(`${PRICED}api_key = '${text}'\n`, env).apiKey?.reveal();
    expect(key('${A}', { A: '${B}', B: 'no' })).toBe('${B}');
    expect(key('pa$$word-$A-{A}', {})).toBe('pa$$word-$A-{A}');
    expect(key('${A}', { A: '$& $1 $$' })).toBe('$& $1 $$');
  });

  it('does not take inherited properties for variables', () => {
    expect(problems(`${PRICED}api_key = "\${constructor}"\n`)).toEqual([
      expect.stringContaining('environment variable constructor is not set'),
    ]);
  });
});

describe('a provider’s key', () => {
  it.each([
    ['alpha', 'ARBSTR_ALPHA_API_KEY'],
    ['my-far provider.2', 'ARBSTR_MY_FAR_PROVIDER.2_API_KEY'],
    ['a_b', 'ARBSTR_A_B_API_KEY'],
  ])('of %s is taken from %s by convention', (name, variable) => {
    const found = provider(PRICED.replace('alpha', name), { [variable]: 'sk-by-convention' });
    expect(found.keySource).toBe('convention');
    expect(found.apiKey?.reveal()).toBe('sk-by-convention');
  });

  it('in the file goes before the convention', () => {
    const env = { ARBSTR_ALPHA_API_KEY: 'sk-by-convention', K: 'sk-by-variable' };
    expect(provider(`${PRICED}api_key = "sk-literal"`, env)).toMatchObject({
      keySource: 'literal',
    });
    expect(provider(`${PRICED}api_key = "\${K}"`, env).apiKey?.reveal()).toBe('sk-by-variable');
  });

  it('is none where the variable is empty or missing', () => {
    expect(provider(PRICED, { ARBSTR_ALPHA_API_KEY: '' })).toMatchObject({
      apiKey: null,
      keySource: 'none',
    });
    expect(provider(PRICED)).toMatchObject({ apiKey: null, keySource: 'none' });
  });

  it('cannot be one variable for two providers by accident', () => {
    const text = `${PRICED.replace('alpha', 'a-b')}${PRICED.replace('alpha', 'a_b')}`;
    expect(problems(text, { ARBSTR_A_B_API_KEY: 'sk-by-convention' })).toEqual([
      '8: "a_b" and "a-b" would both take their key from ARBSTR_A_B_API_KEY; give one an api_key',
    ]);
    expect(problems(text)).toEqual([]);
  });

  it('with a line break in its variable is a mistake', () => {
    expect(problems(PRICED, { ARBSTR_ALPHA_API_KEY: 'sk\n' })).toEqual([
      '2: ARBSTR_ALPHA_API_KEY holds a line break; clean the variable',
    ]);
  });
});

describe('no secret is ever printed', () => {
  const SECRET = 'sk-topsecret-0123456789';
  const SECRETS = `${PRICED}api_key = "${SECRET}"
[server]
auth_token = "${SECRET}"
[vault]
url = "http://v"
internal_token = "\${T}"
`;

  it('with the configuration', () => {
    const found = config(SECRETS, { T: SECRET });
    for (const printed of [
      JSON.stringify(found),
      inspect(found, { depth: 20 }),
      `${found.server.authToken}`,
    ]) {
      expect(printed).not.toContain('topsecret');
      expect(printed).toContain('sk-top'.slice(0, 6));
    }
  });

  it.each([
    ['as a wrong value', `${PRICED}tier = "${SECRET}"`],
    ['as a wrong url', PRICED.replace('https://alpha.example/v1', SECRET)],
    ['in a url', PRICED.replace('alpha.example', `u:${SECRET}@alpha.example`)],
    ['as a wrong listen', `[server]\nlisten = "${SECRET}"`],
    ['as a variable’s name', `${PRICED}api_key = "\${${SECRET}}"`],
    ['from a variable in the wrong place', `${PRICED}on_disconnect = "\${T}"`],
    ['as a fault', `${PRICED}kind = "mock"\nmock = { fault = "${SECRET}" }`],
    ['behind broken syntax', `${PRICED}api_key = "${SECRET}" "`],
  ])('with a mistake: %s', (_name, text) => {
    const result = load(text, { T: SECRET });
    expect(result.ok).toBe(false);
    expect(JSON.stringify(result)).not.toContain('topsecret');
  });
});
