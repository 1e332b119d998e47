// A logger whose transports are worker threads.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { inFolder, workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

const LINES = 2_000;

function assertWritten(destination: string): void {
  const lines = readFileSync(destination, 'utf8').trimEnd().split('\n');
  assert.equal(lines.length, LINES);
  assert.equal(JSON.parse(lines.at(-1) ?? '').line, LINES - 1);
}

function logTo(destination: string): ReturnType<typeof pino.transport> {
  const transport = pino.transport({ target: 'pino/file', options: { destination } });
  const logger = pino(transport);
  for (let line = 0; line < LINES; line++) logger.info({ line }, 'a line');
  return transport;
}

export const jobs = await packageJobs([
  workload('pino: a transport that is ended', () =>
    inFolder(async (folder) => {
      const awake = setTimeout(() => {}, 60_000); // the transport's thread does not keep the process alive
      const transport = logTo(join(folder, 'log'));
      transport.end();
      await once(transport, 'close');
      assertWritten(join(folder, 'log'));
      clearTimeout(awake);
    }),
  ),
  workload('pino: a transport that the end of the process flushes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rocksy-fork-safety-'));
    logTo(join(folder, 'log'));
    process.on('exit', () => {
      assertWritten(join(folder, 'log'));
      rmSync(folder, { recursive: true });
    });
  }),
  workload('pino: a file, without transport', () =>
    inFolder(async (folder) => {
      const destination = pino.destination({ dest: join(folder, 'log'), sync: false });
      const logger = pino(destination);
      await once(destination, 'ready');
      logger.info('a line');
      destination.end();
      await once(destination, 'close');
      assert.match(readFileSync(join(folder, 'log'), 'utf8'), /"msg":"a line"}\n$/);
    }),
  ),
]);
