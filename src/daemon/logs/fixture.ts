// For tests: a log in a folder of its own, as a run would write it.
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { LogFile, PoolFile } from './files.ts';

export interface LogFixture extends LogFile {
  readonly path: string;
  append(data: string | Buffer): void;
  runFile(): PoolFile;
}

/** A log that does not exist yet, below a folder that goes when the test ends. */
export function logFixture(t: { after(clean: () => void): void }, name = 'a.log'): LogFixture {
  const base = mkdtempSync(path.join(tmpdir(), 'rocksy-logs-'));
  t.after(() => rmSync(base, { recursive: true, force: true }));
  const log = logIn(base, name);
  mkdirSync(log.folder);
  mkdirSync(path.dirname(log.notes));
  return log;
}

/** Another log beside it. */
export function logIn(base: string, name: string): LogFixture {
  const folder = path.join(base, 'runs');
  const file = path.join(folder, name);
  const ownerUid = process.getuid?.() ?? 0;
  return {
    folder,
    name,
    ownerUid,
    notes: path.join(base, 'notes', name),
    path: file,
    append: (data) => appendFileSync(file, data),
    runFile: () => ({ folder, name: `${name}.run`, ownerUid }),
  };
}
