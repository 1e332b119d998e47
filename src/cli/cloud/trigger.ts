import { type Command, Option } from 'commander';
import type { Run } from '../../api/index.ts';
import type { CloudClient, JsonValue } from '../../client/index.ts';
import { subcommand } from '../context.ts';
import { EXIT } from '../exit.ts';
import { harmless } from '../terminal.ts';
import { param } from '../values.ts';
import { type CloudContext, jobName, withCloud } from './context.ts';
import { statusOf, styleOf, tookOf } from './describe.ts';

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
    .addOption(new Option('--priority <number>', 'from -1000 to 1000').argParser(Number))
    .option('-f, --follow', 'print what it writes, and end with its code')
    .option('-w, --wait', 'wait for its end, and end with its code')
    .action(withCloud(act));
}

async function act(
  { cloud, terminal, json }: CloudContext,
  job: string,
  params: readonly string[],
  { key, priority, follow, wait }: Options,
): Promise<void> {
  const started = await cloud.call('triggerJob', {
    params: jobName(job),
    body: {
      ...(params.length === 0 ? {} : { params: params.map(param) as JsonValue[] }),
      ...(key === undefined ? {} : { key }),
      ...(priority === undefined ? {} : { priority }),
    },
  });
  if (follow === true) {
    if (!json) terminal.note(harmless(started.key));
    for await (const chunk of cloud.followLog(started.key)) await terminal.pass(chunk);
  }
  if (follow !== true && wait !== true) {
    if (json) terminal.json(started);
    else terminal.print(harmless(started.key));
    return;
  }
  const ended = await ending(cloud, started.key);
  if (json) terminal.json(ended);
  else
    terminal.note(
      `${harmless(ended.key)} ${terminal.paintNote(styleOf(ended), statusOf(ended))} after ${tookOf(ended, Date.now())}${ended.error === null ? '' : `: ${harmless(ended.error)}`}`,
    );
  process.exitCode = exitCodeOf(ended);
}

/** The run, once it has ended. */
async function ending(cloud: CloudClient, key: string): Promise<Run> {
  const stop = new AbortController();
  const events = cloud.events({ kinds: ['run'] }, { signal: stop.signal });
  try {
    const first = events.next();
    for (
      let next: Promise<IteratorResult<{ readonly data: Readonly<Record<string, unknown>> }>> = first;
      ;
      next = events.next()
    ) {
      const { run } = await cloud.call('getRun', { params: { key } });
      if (run.state === 'ended') return run;
      // Whatever happens to it, or at the latest in a second: the stream may have begun after its end.
      await Promise.race([next, new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
    }
  } finally {
    stop.abort();
  }
}

function exitCodeOf({ outcome, code }: Run): number {
  if (outcome === 'succeeded') return EXIT.ok;
  return outcome === 'failed' && code !== null && code !== 0 ? code : EXIT.error;
}
