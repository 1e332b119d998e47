import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError } from '../exit.ts';

/** As the cloud is sent it: by `name` its mistakes are told. */
export interface JobFile {
  readonly name: string;
  readonly text: string;
}

/** A job file, or all in a folder and below. */
export async function jobFilesAt(path: string): Promise<readonly JobFile[]> {
  const kind = await stat(path).catch((error: Error) => {
    throw new CliError(`${path} can't be read: ${error.message}`);
  });
  if (!kind.isDirectory()) return [await fileAt(path)];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => !entry.isDirectory() && /\.ya?ml$/.test(entry.name));
  return await Promise.all(
    files
      .map(({ parentPath, name }) => join(parentPath, name))
      .toSorted()
      .map(fileAt),
  );
}

async function fileAt(path: string): Promise<JobFile> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new CliError(`${path} can't be read: ${error.message}`);
  });
  return { name: path, text };
}
