import { RocksyError } from '../client/index.ts';
import type { Context } from './context.ts';
import { EXIT } from './exit.ts';
import { tell } from './report.ts';
import { harmless } from './terminal.ts';

/** Does the same with each run, prints the keys where it was done, and goes on where the daemon refuses. */
export async function eachKey(
  { terminal, json }: Context,
  keys: readonly string[],
  act: (key: string) => Promise<void>,
): Promise<void> {
  const results: object[] = [];
  for (const key of keys) {
    try {
      await act(key);
      results.push({ key, ok: true });
      if (!json) terminal.print(harmless(key));
    } catch (error) {
      if (!(error instanceof RocksyError)) throw error;
      process.exitCode = EXIT.error;
      results.push({ key, ok: false, code: error.code, message: error.message });
      if (!json) tell(error, terminal, json);
    }
  }
  if (json) terminal.json(results);
}
