import { inspect } from 'node:util';

/** Characters of a secret that its mask shows; a shorter secret than twice this is hidden whole. */
const MASK_SHOWS = 6;
const MASK_NEEDS = 10;

/**
 * A credential that cannot be printed by accident: every way in which JavaScript turns an object
 * into text gives the mask. `reveal()` is the only way to the value; call it where the header is
 * built and nowhere else.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  /** "abcdef...***", or "[REDACTED]" where six characters would give too much of it away. */
  mask(): string {
    // By code points: a cut inside a surrogate pair would print a broken character.
    const characters = [...this.#value];
    if (characters.length < MASK_NEEDS) return '[REDACTED]';
    return `${characters.slice(0, MASK_SHOWS).join('')}...***`;
  }

  toString(): string {
    return this.mask();
  }

  toJSON(): string {
    return this.mask();
  }

  [inspect.custom](): string {
    return `Secret(${this.mask()})`;
  }
}
