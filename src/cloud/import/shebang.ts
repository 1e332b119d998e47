// What the kernel would start for a script, so that a job can start the same without a file for it: execve(2),
// "Interpreter scripts".

/** How an interpreter is told a program in its arguments. `null`: it reads one from its standard input. */
const FLAGS: readonly (readonly [name: RegExp, flag: string | null])[] = [
  [/^(?:sh|bash|dash|ash|ksh|mksh|zsh|fish)$/, '-c'],
  [/^python[\d.]*$/, '-c'],
  [/^(?:perl|ruby|node|nodejs)[\d.]*$/, '-e'],
  [/^php[\d.]*$/, null],
];
/** MAX_ARG_STRLEN of Linux, with its NUL: execve(2), "Limits on size of arguments and environment". */
const MAX_ARGUMENT_BYTES = 131_071;
/** Of the key `stdin` of a job. */
const MAX_STDIN = 65_536;

export type Started =
  | { readonly argv: readonly string[]; readonly stdin: string | null }
  | { readonly impossible: string };

/** The program and its arguments that do what this script does. */
export function startOf(script: string): Started {
  if (script.trim() === '') return { impossible: 'its script is empty' };
  if (script.includes('\0')) return { impossible: 'its script has a NUL in it' };
  // Without one execvp(3) takes the shell.
  const shebang = /^#!\s*(.*)/.exec(script)?.[1]?.trim() ?? '/bin/sh';
  const command = commandOf(shebang);
  const name = programOf(command);
  const flag = FLAGS.find(([known]) => known.test(name))?.[1];
  if (flag === undefined)
    return {
      impossible: `its script is one of ${shebang}: put it in a file on the host, and name that in argv`,
    };
  const isTooLarge =
    flag === null ? script.length > MAX_STDIN : Buffer.byteLength(script) > MAX_ARGUMENT_BYTES;
  if (isTooLarge)
    return { impossible: 'its script is too large for a job file: put it in a file on the host' };
  return flag === null ? { argv: command, stdin: script } : { argv: [...command, flag, script], stdin: null };
}

/** The kernel passes all behind the interpreter as one argument, and `env -S` splits it. */
function commandOf(shebang: string): string[] {
  const [interpreter = '', rest] = /^(\S+)\s*(.*)$/.exec(shebang)?.slice(1) ?? [];
  // `-` and `--` end the options, and ours comes behind them.
  if (rest === undefined || rest === '' || rest === '-' || rest === '--') return [interpreter];
  const split = /^-S\s*(.+)$/.exec(rest)?.[1];
  return split === undefined ? [interpreter, rest] : [interpreter, ...split.split(/\s+/)];
}

function programOf([interpreter = '', ...words]: readonly string[]): string {
  const name = baseName(interpreter);
  if (name !== 'env') return name;
  return baseName(words.find((word) => !/^(?:-|[A-Za-z_]\w*=)/.test(word)) ?? '');
}

function baseName(path: string): string {
  return path.split('/').at(-1) ?? '';
}
