/** An answer as a list of things to do on the socket, so that every fault is data. */
export type Step =
  | {
      readonly do: 'head';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
    }
  /** `events`: how many data events these bytes hold. */
  | { readonly do: 'write'; readonly data: string | Buffer; readonly events?: number }
  /** 0 = lets everything else have a turn. */
  | { readonly do: 'wait'; readonly ms: number }
  /** Says nothing more, until somebody hangs up. */
  | { readonly do: 'stall' }
  /** Ends the connection: `fin` as if the answer were over, `rst` hard. */
  | { readonly do: 'cut'; readonly how: 'fin' | 'rst' }
  /** The same bytes again and again, as fast as they are taken. */
  | { readonly do: 'flood'; readonly data: Buffer }
  /** A status line, then one header line after another, for ever. */
  | { readonly do: 'drip'; readonly intervalMs: number };
