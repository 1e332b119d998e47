// The zygote of node pools that don't fork (`fork: false`), as a program: keeps a stock of processes that have loaded the
// user's code, and gives each one run. It has none of the user's code itself. Its arguments are what it starts: the
// interpreter and its arguments.
import { descriptors, setChildSubreaper, setCloseOnExec } from '../../../posix/index.ts';
import { LISTEN_FD } from '../../contract.ts';
import { type Report, Reports, Runs, Server, takeConfig } from '../../serving/index.ts';
import { jobRuntime } from '../job-runtime.ts';
import { Parking } from '../parking.ts';
import type { JobStart } from '../request.ts';
import { Starter } from './starter.ts';
import { startedSystem } from './system.ts';

function main(): void {
  const config = takeConfig(process.env);
  process.title = `rocksy ${config.pool}/${config.generation} zygote`;
  // The listening socket, and whatever else somebody up the line has let through: no program gets any of it.
  for (const { fd } of descriptors('self')) setCloseOnExec(fd, 'close');
  setChildSubreaper();

  const reports = new Reports((report) => heard(report));
  const starter = new Starter(config, process.argv.slice(2), reports.childrenFd);
  const parking = new Parking(config.prefork, starter);
  const runs: Runs<JobStart> = new Runs(
    startedSystem(starter, parking, reports),
    { claimTimeoutMs: config.claim_timeout_ms, leaveChildren: config.leave_children },
    {
      changed: (key) => server.changed(key),
      refused: (key, refusal) => server.refused(key, refusal),
    },
  );
  const heard = (report: Report): void => {
    if (report.step === 'loaded') starter.loaded(report.pid);
    else runs.report(report);
  };
  const server: Server<JobStart> = new Server(runs, config, {
    ...jobRuntime(config, parking, runs),
    descriptors: () => descriptors('self').map(({ fd }) => fd),
  });

  process.on('SIGCHLD', () => runs.reap());
  process.on('SIGTERM', () => server.drain());
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  // The first shows whether the user's code can be loaded; it has written why not. Then it is the probe.
  const loading = setInterval(() => {}, 2 ** 31 - 1); // nothing else keeps us going
  starter.make((first) => {
    clearInterval(loading);
    if (first instanceof Error) process.exit(1);
    parking.add(first);
    server.listen(LISTEN_FD);
  });
}

main();
