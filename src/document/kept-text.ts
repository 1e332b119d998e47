import fs from 'node:fs';
import { readText } from './text.ts';

/** The text of a file that was good when it was read. It may hold secrets: for nobody else's eyes. */
export function keepText(copy: string, text: string): void {
  // Mostly it is there: who waits for us does not wait for the disk.
  if (fs.existsSync(copy) && fs.readFileSync(copy, 'utf8') === text) return;
  fs.writeFileSync(`${copy}.new`, text, { mode: 0o600 });
  fs.renameSync(`${copy}.new`, copy);
}

export function keptText(copy: string): string | null {
  return fs.existsSync(copy) ? readText(copy) : null;
}
