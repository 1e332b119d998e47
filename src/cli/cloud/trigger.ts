import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Run } from '../../api/index.ts';
import type { JsonValue } from '../../client/index.ts';
import { subcommand } from '../context.ts';
import { EXIT } from '../exit.ts';
import { harmless, type Terminal } from '../terminal.ts';
import { param } from '../values.ts';
import { type CloudContext, jobName, withCloud } from './context.ts';
import { statusOf, styleOf, tookOf } from './describe.ts';
import { endOf, followRun } from './follow.ts';

interface Options {
  readonly key?: string;
  readonly priority?: number;
  readonly follow?: true;
  readonly wait?: true;
}

export function trigger(): Command {
  return subcommand('trigger', 'Run a job now; its schedule goes on as it would', [
    'rocksy trigger shop/report',
    'rocksy trigger --follow shop/import \'{"customer": 7}\'',
    'rocksy trigger --wait shop/report && echo done',
  ])
    .argument('<job>', 'project/name')
    .argument('[params...]', 'parameters instead of those of the definition: JSON, else a text')
    .option('--key <key>', 'the key of the run: the same again starts nothing')
    .addOption(new Option('--priority <number>', 'from -1000 to 1000').argParser(priority))
    .option('-f, --follow', 'print what it writes, and end with its code')
    .option('-w, --wait', 'wait for its end, and end with its code')
    .action(withCloud(act));
}

async function act(
  { cloud, terminal, json }: CloudContext,
  job: string,
  params: readonly string[],
  { key, priority: first, follow, wait }: Options,
): Promise<void> {
  const started = await cloud.call('triggerJob', {
    params: jobName(job),
    body: {
      ...(params.length === 0 ? {} : { params: params.map(param) as JsonValue[] }),
      ...(key === undefined ? {} : { key }),
      ...(first === undefined ? {} : { priority: first }),
    },
  });
  if (follow !== true && wait !== true) {
    if (json) terminal.json(started);
    else terminal.print(harmless(started.key));
    return;
  }
  if (follow === true && !json) terminal.note(harmless(started.key));
  const ended =
    follow === true
      ? await followRun({ cloud, terminal, json }, started.key, { attempt: 1 })
      : await endOf(cloud, started.key);
  if (json) terminal.json(follow === true ? { event: 'exited', run: ended } : ended);
  else terminal.note(endLine(ended, terminal));
  process.exitCode = exitCodeOf(ended);
}

function priority(text: string): number {
  const number = Number(text);
  if (text.trim() === '' || !Number.isInteger(number) || Math.abs(number) > 1000)
    throw new InvalidArgumentError('Expected a whole number from -1000 to 1000.');
  return number;
}

function endLine(run: Run, terminal: Terminal): string {
  const took = run.started_ms === null ? '' : ` after ${tookOf(run, Date.now())}`;
  const attempt = run.attempt > 1 ? `, at attempt ${run.attempt}` : '';
  const error = run.error === null ? '' : `: ${harmless(run.error)}`;
  return `${harmless(run.key)} ${terminal.paintNote(styleOf(run), statusOf(run))}${took}${attempt}${error}`;
}

function exitCodeOf({ outcome, code }: Run): number {
  if (outcome === 'succeeded') return EXIT.ok;
  return outcome === 'failed' && code !== null && code !== 0 ? code : EXIT.error;
}
