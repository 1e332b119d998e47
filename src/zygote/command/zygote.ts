// The zygote of the runtime `command` (docs/zygote.md), as a program: reads its configuration, puts the parts together
// and listens. It loads as little as it can, since every pool of commands has one of these.
import { descriptors, setChildSubreaper, setCloseOnExec } from '../../posix/index.ts';
import { LISTEN_FD } from '../contract.ts';
import { probe, Reports, Runs, Server, takeConfig } from '../serving/index.ts';
import { childMaker } from './child.ts';
import { inheritedEnv } from './environment.ts';
import { type CommandStart, parseCommand } from './request.ts';
import { realSystem } from './system.ts';

function main(): void {
  const config = takeConfig(process.env);
  process.title = `rocksy zygote ${config.pool} ${config.generation}`;
  // The listening socket, and whatever else somebody up the line has let through: no run gets any of it.
  for (const { fd } of descriptors('self')) setCloseOnExec(fd, 'close');
  setChildSubreaper();

  const reports = new Reports((report) => runs.report(report));
  const maker = childMaker(config, inheritedEnv(), reports.childrenFd);
  const runs: Runs<CommandStart> = new Runs(
    realSystem(maker, reports),
    { claimTimeoutMs: config.claim_timeout_ms, leaveChildren: config.leave_children },
    {
      changed: (key) => server.changed(key),
      refused: (key, refusal) => server.refused(key, refusal),
    },
  );
  const server: Server<CommandStart> = new Server(runs, config, {
    parseStart: parseCommand,
    // A run of perl that does nothing, with all that comes before a command: claim, report, log.
    probe: (done) => probe(runs, config, (start) => ({ ...start, argv: [maker.perl, '-e', ''] }), done),
    descriptors: () => descriptors('self').map(({ fd }) => fd),
    parked: () => 0,
    drain: () => {},
  });

  process.on('SIGCHLD', () => runs.reap());
  process.on('SIGTERM', () => server.drain());
  process.on('SIGINT', () => {});
  process.on('SIGHUP', () => {});
  // SIGPIPE is ignored by Node itself.
  server.listen(LISTEN_FD);
}

try {
  main();
} catch (error) {
  process.stderr.write(`rocksy: the zygote can't start: ${(error as Error).message}\n`);
  process.exit(1);
}
