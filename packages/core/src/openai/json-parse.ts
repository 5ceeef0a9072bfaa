/**
 * JSON.parse, except where V8 gets a key wrong.
 *
 * V8 12.8 and later, so Node 24, may decode an escaped key as another one of the same shape: after
 * `{"model":1,"\\":1}`, the `"\u006e"` of `{"model":1,"\u006e":128}` is read as `\` instead of `n`
 * (nodejs/node#63785, open). In most programs that is a curiosity. Here a caller could hide `n`, an
 * output bound or a prompt from the reservation and still have the provider see it, so text with
 * escaped keys is read again without JSON.parse's objects. Keys without a backslash are not affected.
 */

/**
 * The value of `text`; throws SyntaxError where it is no JSON. `hasEscapedKey`: some key in it,
 * however deep, is written with a backslash (json-spans.ts finds out on its way). The caller has
 * bounded the depth: the second reading recurses.
 */
export function parseJson(text: string, hasEscapedKey: boolean): unknown {
  const value: unknown = JSON.parse(text);
  return hasEscapedKey ? createReader(text).value() : value;
}

/** Reads text that JSON.parse has accepted, so nothing is checked here. */
function createReader(text: string): { value(): unknown } {
  let at = 0;

  function skipSpace(): void {
    while (text.charCodeAt(at) <= 0x20) at++;
  }

  function value(): unknown {
    skipSpace();
    const first = text[at];
    if (first === '"') return string();
    if (first === '[') return list();
    return first === '{' ? object() : scalar();
  }

  function scalar(): unknown {
    const start = at;
    while (at < text.length && !endsScalar(text.charCodeAt(at))) at++;
    const word = text.slice(start, at);
    if (word === 'null') return null;
    return word === 'true' || (word !== 'false' && Number(word));
  }

  function string(): string {
    const start = at;
    let run: number;
    do {
      at = text.indexOf('"', at + 1);
      run = at;
      while (text[run - 1] === '\\') run--;
    } while ((at - run) % 2 !== 0);
    at++;
    const quoted = text.slice(start, at);
    return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
  }

  function list(): unknown[] {
    const items: unknown[] = [];
    while (hasNext(']')) items.push(value());
    return items;
  }

  function object(): object {
    const result: Record<string, unknown> = {};
    while (hasNext('}')) {
      const key = string();
      skipSpace();
      at++;
      if (key === '__proto__') define(result, key, value());
      else result[key] = value();
    }
    return result;
  }

  /** Steps over the opening bracket or a comma; past the closing one, it is false. */
  function hasNext(close: string): boolean {
    skipSpace();
    if (text[at] === close) {
      at++;
      return false;
    }
    at++;
    skipSpace();
    if (text[at] !== close) return true;
    at++;
    return false;
  }

  return { value };
}

/** Comma, closing brackets, white space. */
function endsScalar(code: number): boolean {
  return code === 0x2c || code === 0x7d || code === 0x5d || code <= 0x20;
}

/** In JSON `__proto__` is a member like any other; an assignment would set the prototype. */
function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}
