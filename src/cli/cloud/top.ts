import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { subcommand } from '../context.ts';
import { formatDuration } from '../duration.ts';
import { harmless } from '../terminal.ts';
import { type CloudContext, withCloud } from './context.ts';
import { type Seen, type Size, screen } from './top-screen.ts';

const EVERY_MS = 1_000;
const SHOWN = 50;
/** Where stdout is no terminal. */
const PAPER: Size = { columns: 160, rows: 60 };
const CTRL_C = '\u0003';
/** An answer takes no time that anybody would notice; a restart of the server some seconds. */
const STALE_MS = 3_000;

export function top(): Command {
  return subcommand('top', 'A live view: hosts, what runs, what ended', ['rocksy top', 'rocksy top --once'])
    .option('--once', 'print it once')
    .addHelpText('after', '\nq or Ctrl-C leaves it.')
    .action(
      withCloud(async (context, { once }: { readonly once?: true }) => {
        const { terminal, json } = context;
        // What is wrong at the start is told as by any other command.
        const seen = await look(context);
        if (json) terminal.json(seen);
        else if (once === true || terminal.size === null) {
          const columns = terminal.columns ?? PAPER.columns;
          terminal.print(screen(seen, { ...PAPER, columns }, Date.now(), terminal).join('\n'));
        } else await live(context, seen);
      }),
    );
}

async function live(context: CloudContext, first: Seen): Promise<void> {
  const { terminal } = context;
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  using _keys = terminal.onKeys((keys) => {
    if (keys.toLowerCase().includes('q') || keys.includes(CTRL_C)) stop.abort();
  });
  let latest: Latest = { seen: first, atMs: Date.now(), trouble: null };
  const draw = () => terminal.write(drawing(context, latest));
  using _resized = terminal.onResize(draw);
  // The alternate screen, without the cursor: xterm's control sequences, DECSET 1049 and 25.
  terminal.write('\u001b[?1049h\u001b[?25l');
  const clock = setInterval(draw, EVERY_MS);
  try {
    for (draw(); !stop.signal.aborted; draw()) {
      // Rejects only when it is to stop, and then the loop ends.
      await wait(EVERY_MS, undefined, { signal: stop.signal }).catch(() => undefined);
      latest = await look(context, stop.signal).then(
        (seen) => ({ seen, atMs: Date.now(), trouble: null }),
        (error: Error) => ({ ...latest, trouble: error.message }),
      );
    }
  } finally {
    clearInterval(clock);
    terminal.write('\u001b[?25h\u001b[?1049l');
  }
}

interface Latest {
  readonly seen: Seen;
  readonly atMs: number;
  readonly trouble: string | null;
}

/** Over what was there, so that nothing flickers: EL and ED erase what is left of it. */
function drawing({ cloud, terminal }: CloudContext, { seen, atMs, trouble }: Latest): string {
  const nowMs = Date.now();
  const size = terminal.size ?? PAPER;
  const lines = screen(seen, size, nowMs, terminal);
  if (nowMs - atMs > STALE_MS) {
    const said = trouble ?? `${cloud.address} does not answer`;
    const line = `${harmless(said)} (what is below is ${formatDuration(nowMs - atMs)} old)`;
    lines[0] = terminal.paint('red', line.slice(0, size.columns));
  }
  return `\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\r\n')}\u001b[J`;
}

async function look({ cloud }: CloudContext, signal?: AbortSignal): Promise<Seen> {
  const [status, hosts, active, ended] = await Promise.all([
    cloud.call('status', {}, { signal }),
    cloud.call('listHosts', {}, { signal }),
    cloud.call('listRuns', { query: { state: 'active', limit: SHOWN } }, { signal }),
    cloud.call('listRuns', { query: { state: 'ended', limit: SHOWN } }, { signal }),
  ]);
  return { status, hosts: hosts.items, active: active.items, ended: ended.items };
}
