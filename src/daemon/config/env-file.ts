/** A variable of an environment file, and the line that its name stands in. */
export interface EnvVariable {
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

/** What is wrong with a line. It never has anything of a value in it. */
export interface EnvProblem {
  readonly line: number;
  readonly message: string;
}

export interface EnvFile {
  /** In the order of the file; of two with one name the later counts. */
  readonly variables: readonly EnvVariable[];
  readonly problems: readonly EnvProblem[];
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** What a backslash takes the meaning of between double quotes; before anything else it stands for itself. */
const ESCAPABLE = '"\\`$';

/**
 * Where the reader is. `between`: behind the `=` or a closing quote, where blanks mean nothing and a quote begins. Names
 * are those of systemd's parse_env_file_internal (src/basic/env-file.c), which this reads as.
 */
type State =
  | 'line'
  | 'name'
  | 'between'
  | 'plain'
  | 'plain escape'
  | 'single'
  | 'double'
  | 'double escape'
  | 'comment'
  | 'comment escape';

/**
 * Reads a file as systemd's EnvironmentFile= does (systemd.exec(5)): NAME=VALUE lines, `#` and `;` begin a comment line,
 * quotes and backslashes as in a shell, no variables in values. What systemd passes over without a word is a problem
 * here: a line without `=`, a name that is none, a quote that is not closed.
 */
export function parseEnvFile(text: string): EnvFile {
  const reader = new Reader();
  for (const character of text) reader.take(character);
  reader.finish();
  return { variables: reader.variables, problems: reader.problems };
}

class Reader {
  readonly variables: EnvVariable[] = [];
  readonly problems: EnvProblem[] = [];
  #state: State = 'line';
  #line = 1;
  /** Where the present entry began. */
  #first = 1;
  #name = '';
  #value = '';
  /** How much of the value stays when its end is trimmed: all but blanks that stand there bare. */
  #kept = 0;

  take(c: string): void {
    this.#state = this.#next(c);
    if (c === '\n') this.#line += 1;
  }

  finish(): void {
    if (this.#state === 'single' || this.#state === 'double' || this.#state === 'double escape')
      this.#problem(`the quote of ${this.#name} is not closed`);
    else if (this.#state === 'name') this.#withoutValue();
    else if (!['line', 'comment', 'comment escape'].includes(this.#state)) this.#variable();
  }

  #next(c: string): State {
    switch (this.#state) {
      case 'line':
        return this.#beginning(c);
      case 'comment':
        return c === '\\' ? 'comment escape' : isBreak(c) ? 'line' : 'comment';
      case 'comment escape':
        return isBreak(c) ? 'line' : 'comment';
      case 'name':
        return this.#inName(c);
      case 'between':
        return this.#between(c);
      case 'plain':
        return this.#inPlain(c);
      case 'plain escape':
        return isBreak(c) ? 'plain' : this.#keep(c, 'plain');
      case 'single':
        return c === "'" ? 'between' : this.#keep(c, 'single');
      case 'double':
        return c === '"' ? 'between' : c === '\\' ? 'double escape' : this.#keep(c, 'double');
      case 'double escape':
        if (c === '\n') return 'double';
        return this.#keep(ESCAPABLE.includes(c) ? c : `\\${c}`, 'double');
    }
  }

  #beginning(c: string): State {
    if (c === '#' || c === ';') return 'comment';
    if (isBlank(c)) return 'line';
    this.#first = this.#line;
    this.#name = c === '=' ? '' : c;
    this.#value = '';
    this.#kept = 0;
    return c === '=' ? 'between' : 'name';
  }

  #inName(c: string): State {
    if (c === '=') {
      this.#name = this.#name.trimEnd();
      return 'between';
    }
    if (isBreak(c)) {
      this.#withoutValue();
      return 'line';
    }
    this.#name += c;
    return 'name';
  }

  #between(c: string): State {
    if (isBreak(c)) return this.#variable();
    if (isBlank(c)) return 'between';
    if (c === "'") return 'single';
    if (c === '"') return 'double';
    return c === '\\' ? 'plain escape' : this.#keep(c, 'plain');
  }

  #inPlain(c: string): State {
    if (isBreak(c)) return this.#variable();
    if (c === '\\') {
      this.#kept = this.#value.length;
      return 'plain escape';
    }
    if (!isBlank(c)) return this.#keep(c, 'plain');
    this.#value += c;
    return 'plain';
  }

  #keep(text: string, state: State): State {
    this.#value += text;
    this.#kept = this.#value.length;
    return state;
  }

  #variable(): State {
    const name = this.#name;
    if (!NAME.test(name)) this.#problem('what stands before the = is no name (letters, digits and _)');
    else if (this.#value.includes('\0')) this.#problem(`${name} has a NUL byte, which no variable can have`);
    else this.variables.push({ name, value: this.#value.slice(0, this.#kept), line: this.#first });
    return 'line';
  }

  #withoutValue(): void {
    this.#problem('expected NAME=VALUE');
  }

  #problem(message: string): void {
    this.problems.push({ line: this.#first, message });
  }
}

function isBreak(c: string): boolean {
  return c === '\n' || c === '\r';
}

function isBlank(c: string): boolean {
  return c === ' ' || c === '\t' || isBreak(c);
}
