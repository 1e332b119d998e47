import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { Run, Status } from '../../api/index.ts';
import { Terminal } from '../terminal.ts';
import { type Seen, screen } from './top-screen.ts';

const NOW = Date.UTC(2026, 0, 31, 12);
const output = new PassThrough() as unknown as NodeJS.WriteStream;
const terminal = new Terminal(output, output);

const run = (number: number, more: Partial<Run>): Run =>
  ({
    key: `key-${number}`.padEnd(36, '0'),
    project: 'shop',
    job: `a-job-with-a-long-name-${number}`,
    host: 'web-1',
    state: 'running',
    outcome: null,
    waits_for: null,
    not_before_ms: NOW - 1000,
    due_ms: NOW - 1000,
    started_ms: NOW - 1000,
    ended_ms: null,
    ...more,
  }) as Run;

function seen(active: number, ended: number): Seen {
  const waits = { for: 'host', text: `no host takes it (${'web-1: full, '.repeat(10)})` } as const;
  return {
    status: { version: '0.1.0', started_ms: NOW, outcomes_24h: {}, pause: null } as unknown as Status,
    hosts: [],
    active: Array.from({ length: active }, (_, i) => run(i, { state: 'queued', waits_for: waits })),
    ended: Array.from({ length: ended }, (_, i) =>
      run(i, { state: 'ended', outcome: 'killed', signal: 'SIGKILL' }),
    ),
  };
}

test('top fits the screen, however much there is and however small that is', () => {
  for (const [columns, rows] of [
    [120, 40],
    [80, 24],
    [60, 12],
    [20, 5],
  ] as const) {
    const lines = screen(seen(50, 50), { columns, rows }, NOW, terminal);
    assert.equal(lines.length, rows);
    for (const line of lines) assert.ok(stripVTControlCharacters(line).length <= columns, line);
  }
});

test('top gives the room that one list leaves to the other, and shows keys where there is room', () => {
  const text = screen(seen(2, 50), { columns: 160, rows: 40 }, NOW, terminal).join('\n');
  assert.equal(text.match(/killed/g)?.length, 30);
  assert.match(text, /key-1/);
  assert.doesNotMatch(screen(seen(2, 50), { columns: 100, rows: 40 }, NOW, terminal).join('\n'), /key-/);
});
