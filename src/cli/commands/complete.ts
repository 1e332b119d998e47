import { Command } from 'commander';
import { connect } from '../../client/index.ts';
import { candidates, type Names } from '../completion/index.ts';
import { ourTerminal } from '../context.ts';
import { harmless } from '../terminal.ts';

const KEYS_SHOWN = 100;
const ANSWER_WITHIN_MS = 1000;

/** What the shells' completion asks: the words after `rocksy`, the last one being typed. One candidate a line. */
export function complete(): Command {
  return new Command('__complete')
    .argument('[words...]')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .action(async function action(this: Command, words: string[]) {
      const root = this.parent;
      if (root === null) return;
      const terminal = ourTerminal();
      for (const word of await candidates(root, words, namesOfDaemon)) terminal.print(harmless(word));
    });
}

/** A shell that completes must not hang or show errors: without an answer there are no names. */
async function namesOfDaemon(names: Names, socket: string | undefined): Promise<string[]> {
  try {
    await using client = connect(socket, { openTimeoutMs: ANSWER_WITHIN_MS, patienceMs: 0 });
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    if (names === 'pools') return (await client.pools({ signal })).map((pool) => pool.name);
    const keys: string[] = [];
    for await (const run of client.list({ limit: KEYS_SHOWN, signal })) {
      if (keys.push(run.key) === KEYS_SHOWN) break;
    }
    return keys;
  } catch {
    return [];
  }
}
