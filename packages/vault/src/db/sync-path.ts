import { closeSync, fsyncSync, openSync } from 'node:fs';

/** A file's bytes, or a folder's names, are on disk when it returns: a rename alone may be lost. */
export function syncPath(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
