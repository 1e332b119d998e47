// The transcripts in a document: what a client sends and what it hears, to be replayed.
import assert from 'node:assert/strict';
import type { Wire } from './wire.ts';

export interface Step {
  readonly line: number;
  /** Name of the connection; empty where there is but one. */
  readonly connection: string;
  readonly kind: 'sends' | 'hears';
  readonly text: string;
}

const CLOSED = '(closed)';

/** What placeholders stand for. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  pid: '\\d+',
  count: '\\d+',
  bytes: '\\d+',
  ms: '\\d+(?:\\.\\d+)?',
  version: '\\d+\\.\\d+\\.\\d+[^"]*',
  path: '/[^"]*',
};

/** The steps of all blocks marked ```transcript. */
export function parseTranscript(document: string): Step[] {
  const steps: Step[] = [];
  let inside = false;
  for (const [index, text] of document.split('\n').entries()) {
    if (text.startsWith('```')) inside = text === '```transcript';
    else if (inside) {
      const found = /^(\w*)([<>]) (.*)$/.exec(text);
      const [, connection = '', direction, rest = ''] = found ?? assert.fail(`line ${index + 1}: ${text}`);
      const kind = direction === '>' ? 'sends' : 'hears';
      steps.push({ line: index + 1, connection, kind, text: rest });
    }
  }
  return steps;
}

/** Plays the client's part, and fails at the first byte that is not as it was written. */
export async function replay(
  document: string,
  steps: readonly Step[],
  open: () => Promise<Wire>,
): Promise<void> {
  const wires = new Map<string, Wire>();
  for (const { line, connection, kind, text } of steps) {
    const place = `${document}:${line}`;
    let wire = wires.get(connection);
    if (wire === undefined) {
      wire = await open();
      wires.set(connection, wire);
    }
    if (kind === 'sends') wire.send(text);
    else if (text === CLOSED) {
      assert.equal(await wire.line(), null, place);
      wires.delete(connection);
    } else assertHeard(await wire.line(), text, place);
  }
  // Whatever else was said, nobody wrote down.
  for (const [name, wire] of wires) {
    wire.socket.end();
    assert.equal(await wire.line(), null, `${document}: connection '${name}' at the end`);
  }
}

function assertHeard(heard: string | null, written: string, place: string): void {
  const pattern = written
    .split(/(<\w+>)/)
    .map((part) => {
      const name = /^<(\w+)>$/.exec(part)?.[1];
      if (name === undefined) return RegExp.escape(part);
      return PLACEHOLDERS[name] ?? assert.fail(`${place}: there is no placeholder <${name}>`);
    })
    .join('');
  if (heard !== null && new RegExp(`^${pattern}$`).test(heard)) return;
  assert.equal(heard, written, place);
}
