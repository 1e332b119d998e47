import type { Argument, Command, Option } from 'commander';

/** Names that only a daemon knows. */
export type Names = 'pools' | 'keys';

export type AskNames = (names: Names, socket: string | undefined) => Promise<readonly string[]>;

/** What may stand for the last word, in the order of the help. Nothing where the shell's file names serve best. */
export async function candidates(
  root: Command,
  words: readonly string[],
  ask: AskNames,
): Promise<readonly string[]> {
  const typed = words.at(-1) ?? '';
  const place = walk(root, words.slice(0, -1));
  const all = await offered(place, typed, ask);
  return all.filter((word) => word.startsWith(typed));
}

/** Where the word that is being typed stands. */
interface Place {
  readonly command: Command;
  /** The option whose value it is. */
  readonly option: Option | undefined;
  /** How many operands stand before it. */
  readonly operands: number;
  /** It stands behind `--`. */
  readonly verbatim: boolean;
  readonly socket: string | undefined;
}

function walk(root: Command, before: readonly string[]): Place {
  let command = root;
  let option: Option | undefined;
  let operands = 0;
  let verbatim = false;
  let socket: string | undefined;
  for (const word of before) {
    if (option !== undefined) {
      if (option.long === '--socket') socket = word;
      option = undefined;
    } else if (!verbatim && word === '--') verbatim = true;
    else if (!verbatim && word.startsWith('-')) option = valuedOption(command, word);
    else {
      const inner: Command | undefined =
        operands === 0 ? visible(command).find((one) => one.name() === word) : undefined;
      if (inner === undefined) operands++;
      else command = inner;
    }
  }
  return { command, option, operands, verbatim, socket };
}

/** The option of that flag when the next word is its value. */
function valuedOption(command: Command, word: string): Option | undefined {
  return command.options.find((option) => (option.long === word || option.short === word) && option.required);
}

async function offered(place: Place, typed: string, ask: AskNames): Promise<readonly string[]> {
  const { command, option, operands, verbatim, socket } = place;
  if (option !== undefined) return valuesOf(option.argChoices, option.long?.slice(2) ?? '', socket, ask);
  if (typed.startsWith('-') && !verbatim) return flagsOf(command);
  if (command.commands.length > 0) return visible(command).map((inner) => inner.name());
  const argument = argumentAt(command, operands);
  return argument === undefined ? [] : valuesOf(argument.argChoices, argument.name(), socket, ask);
}

function visible(command: Command): Command[] {
  return command.commands.filter((inner) => !inner.name().startsWith('__'));
}

function flagsOf(command: Command): string[] {
  return [...command.options.flatMap((option) => (option.long == null ? [] : [option.long])), '--help'];
}

function argumentAt(command: Command, index: number): Argument | undefined {
  const all = command.registeredArguments;
  const last = all.at(-1);
  return all[index] ?? (last?.variadic ? last : undefined);
}

async function valuesOf(
  choices: readonly string[] | undefined,
  name: string,
  socket: string | undefined,
  ask: AskNames,
): Promise<readonly string[]> {
  if (choices !== undefined) return choices;
  if (name === 'pool') return ask('pools', socket);
  return name === 'key' ? ask('keys', socket) : [];
}
