// What the runs of the load execute, with all that they print and how they end, known beforehand.
import type { Random } from './random.ts';

export interface Script {
  readonly argv: readonly [string, ...string[]];
  readonly text: string;
  readonly retcode: number;
}

const SIGTERM = 15;

/** A short run: nothing at all, some words, a nap of up to two seconds; it ends by a code or by a signal. */
export function shortScript(random: Random, name: string): Script {
  const napMs = random.integer(0, 2000);
  const code = random.integer(1, 100);
  return random.pick<Script>([
    { argv: ['/bin/true'], text: '', retcode: 0 },
    { argv: ['/bin/false'], text: '', retcode: 1 },
    { argv: sh(`echo '${name}'; exit ${code}`), text: `${name}\n`, retcode: code },
    { argv: sh(`sleep ${napMs / 1000}; echo '${name}'`), text: `${name}\n`, retcode: 0 },
    { argv: sh(`echo '${name}'; kill -TERM $$`), text: `${name}\n`, retcode: 128 + SIGTERM },
  ]);
}

export function nap(ms: number): Script {
  return { argv: ['sleep', String(ms / 1000)], text: '', retcode: 0 };
}

/** A log that grows for a second or two, by lines that are cut within characters, or by much at a time. */
export function growingScript(random: Random, name: string): Script {
  const lines = random.integer(3, 15);
  const pauseMs = random.integer(10, 150);
  const filler = 'x'.repeat(random.pick([0, 0, 20, 5000, 50_000]));
  // The two bytes of é come apart.
  const line = `printf '%s %s \\303' '${name}' "$i"; sleep ${pauseMs / 1000}; printf '\\251%s\\n' "$fill"`;
  const fill = `fill=$(head -c ${filler.length} /dev/zero | tr '\\0' x)`;
  return {
    argv: sh(`${fill}; i=0; while [ $i -lt ${lines} ]; do ${line}; i=$((i+1)); done`),
    text: Array.from({ length: lines }, (_, i) => `${name} ${i} é${filler}\n`).join(''),
    retcode: 0,
  };
}

/** A log of 290 KB that much can be asked of. */
export function library(): Script {
  const words = 'of a long log which is asked for again and again by clients that do not read';
  const count = 3500;
  return {
    argv: ['seq', '-f', `line %04.0f ${words}`, '1', String(count)],
    text: Array.from({ length: count }, (_, i) => `line ${String(i + 1).padStart(4, '0')} ${words}\n`).join(
      '',
    ),
    retcode: 0,
  };
}

function sh(script: string): [string, ...string[]] {
  return ['sh', '-c', script];
}
