/** What commands print: lines for people, or the answer for programs. */

export type Print = (answer: object, lines: readonly string[]) => void;

/** @param json the answer as it came, and nothing else, on stdout */
export function printer(json: boolean): Print {
  return (answer, lines) => {
    const text = json ? JSON.stringify(answer) : lines.map(harmless).join('\n');
    process.stdout.write(`${text}\n`);
  };
}

/**
 * A text on one line that moves no cursor and turns no reading direction: names, models,
 * destinations and failures are written by strangers, and one that holds escape sequences could
 * overwrite the amount that the operator is about to approve. Such characters are spelled out.
 */
export function harmless(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
