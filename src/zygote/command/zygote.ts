// The zygote of the runtime `command` (docs/zygote.md), as a program: reads its configuration, puts the parts together
// and listens. It loads as little as it can, since every pool of commands has one of these.
import { join } from 'node:path';
import { descriptors, setChildSubreaper, setCloseOnExec } from '../../posix/index.ts';
import { LISTEN_FD, type ZygoteConfig } from '../contract.ts';
import { type ChildMaker, childMaker, runFile } from './child.ts';
import { inheritedEnv, takeConfig } from './config.ts';
import { Reports } from './reports.ts';
import type { CommandStart } from './request.ts';
import { Runs } from './runs.ts';
import { Server } from './server.ts';
import { realSystem, removeIfThere } from './system.ts';

function main(): void {
  const config = takeConfig(process.env);
  process.title = `rocksy zygote ${config.pool} ${config.generation}`;
  // The listening socket, and whatever else somebody up the line has let through: no run gets any of it.
  for (const { fd } of descriptors('self')) setCloseOnExec(fd, 'close');
  setChildSubreaper();

  const reports = new Reports((report) => runs.report(report));
  const maker = childMaker(config, inheritedEnv(), reports.childrenFd);
  const runs: Runs = new Runs(
    realSystem(maker, reports),
    { claimTimeoutMs: config.claim_timeout_ms, leaveChildren: config.leave_children },
    (run) => server.runChanged(run),
  );
  const server: Server = new Server(runs, config, (done) => probe(runs, maker, config, done));

  process.on('SIGCHLD', () => runs.reap());
  process.on('SIGTERM', () => server.drain());
  process.on('SIGINT', () => {});
  process.on('SIGHUP', () => {});
  // SIGPIPE is ignored by Node itself.
  server.listen(LISTEN_FD);
}

let probes = 0;

/** A run of perl that does nothing, with all that comes before a command: claim, report, log. It leaves no files. */
function probe(
  runs: Runs,
  maker: ChildMaker,
  config: ZygoteConfig,
  done: (problem: string | null) => void,
): void {
  const file = `.probe-${config.generation}-${process.pid}-${++probes}`;
  const log = `${file}.log`;
  const start: CommandStart = {
    key: file,
    file,
    argv: [maker.perl, '-e', ''],
    env: {},
    cwd: '',
    stdin: null,
    log,
    timeoutMs: config.claim_timeout_ms,
    killAfterMs: 0,
  };
  const removeFiles = (): void => {
    removeIfThere(runFile(maker, file));
    removeIfThere(join(maker.runs, log));
  };
  const over = (problem: string | null): void => {
    removeFiles();
    done(problem);
  };
  removeFiles(); // of a zygote that died in the middle of a probe, before its pid came round again
  const refusal = runs.probe(start, ({ state }) => {
    if (state.at !== 'ended') return;
    const { claimed, code, signal, message } = state.event;
    const end = signal === null ? `code ${code}` : `signal ${signal}`;
    over(claimed && code === 0 ? null : (message ?? `the probe ended with ${end}`));
  });
  if (refusal !== null) over(refusal.message);
}

try {
  main();
} catch (error) {
  process.stderr.write(`rocksy: the zygote can't start: ${(error as Error).message}\n`);
  process.exit(1);
}
