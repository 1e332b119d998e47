// Runs that write to their logs all the time until a gate opens, and a witness of them that Rocksy knows nothing of.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { TestDaemon } from './daemon.ts';
import type { Gate } from './gate.ts';

/** An exit code, or the signal that a talker kills itself by. */
export type End = number | 'SIGTERM' | 'SIGKILL';

export interface Talker {
  readonly key: string;
  readonly runtime: 'php' | 'command';
  readonly gate: Gate;
  readonly end: End;
}

/** `read` returns more than 128 after its time, 1 at the gate's end: a pause that forks nothing. */
const SCRIPT = `
echo "begun $0" >> "$1"
exec 3< "$2"
for ((n = 0; ; n++)); do
  echo "line $n"
  (( n == 1 )) && echo "talks $0" >> "$1"
  read -rt 0.1 <&3
  (( $? > 128 )) || break
done
echo "that was line $n"
echo "ended $0" >> "$1"
`;

/** How it is asked for. It wants a pool `web` of php, with JOBS, or a pool `os` of commands. */
export function talking({ key, runtime, gate, end }: Talker, witness: Witness) {
  const params = { key, witness: witness.path, gate: gate.path, end };
  if (runtime === 'php') return { key, pool: 'web', class: 'Talker', params: [params] };
  const last = typeof end === 'number' ? `exit ${end}` : `kill -${end} $$`;
  return { key, pool: 'os', argv: ['bash', '-c', SCRIPT + last, key, witness.path, gate.path] };
}

/** Fails unless it is all that a talker writes, in order, once. */
export function assertWholeLog(log: string, key: string): void {
  const last = log.split('\n').length - 3;
  const lines = Array.from({ length: last + 1 }, (_, n) => `line ${n}\n`);
  assert.equal(log, `${lines.join('')}that was line ${last}\n`, key);
}

/** A file to which each talker appends a line when it begins, one when it has made its first pause, and one when it ends. */
export class Witness {
  readonly path: string;

  constructor({ scratch }: TestDaemon, name: string) {
    this.path = path.join(scratch, `witness-${name}`);
    fs.writeFileSync(this.path, '');
    fs.chmodSync(this.path, 0o666);
  }

  /** The keys of those that did, as often as they did. */
  those(what: 'begun' | 'talks' | 'ended'): string[] {
    const lines = fs.readFileSync(this.path, 'utf8').split('\n');
    return lines.flatMap((line) => (line.startsWith(`${what} `) ? [line.slice(what.length + 1)] : []));
  }
}
