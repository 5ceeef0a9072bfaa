/** Removes what is over, in small steps: the event loop never stands still for long. */

/** Rows of a table that one step removes: some 15 ms. */
export const PRUNE_ROWS_MAX = 1_000;
const EVERY_MS = 60_000;
/** While there is more: many steps keep up with any load, and leave room between them. */
const NEXT_MS = 250;

/** `step` removes a bounded number of rows and says whether there may be more. Returns its end. */
export function pruneRegularly(step: () => boolean, onError: (error: unknown) => void): () => void {
  const run = (): void => {
    let isMore = false;
    try {
      isMore = step();
    } catch (error) {
      onError(error);
    }
    timer = setTimeout(run, isMore ? NEXT_MS : EVERY_MS);
  };
  let timer = setTimeout(run, EVERY_MS);
  return () => clearTimeout(timer);
}
