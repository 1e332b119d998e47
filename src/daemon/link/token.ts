import fs from 'node:fs/promises';

/** There is no token to join with. */
export class NoToken extends Error {
  override readonly name = 'NoToken';
}

/** The token in a file, without the line end behind it. Throws NoToken. */
export async function readToken(file: string): Promise<string> {
  let token: string;
  try {
    token = (await fs.readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new NoToken(`${file} can't be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  if (token === '') throw new NoToken(`${file} is empty`);
  return token;
}
