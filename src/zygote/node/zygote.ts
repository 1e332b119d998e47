// The zygote of the runtime `node` (docs/zygote.md), as a program: loads the user's code, then forks a child for every run.
import { become, children, descriptors, setChildSubreaper, setCloseOnExec } from '../../posix/index.ts';
import { LISTEN_FD } from '../contract.ts';
import { cancelAll, Reports, Runs, Server, takeConfig } from '../serving/index.ts';
import { Child } from './child.ts';
import { flagsOf } from './flags.ts';
import { Forker } from './fork.ts';
import { forkedHere } from './forked.ts';
import { jobRuntime } from './job-runtime.ts';
import { LeftBehind } from './left-behind.ts';
import { optimize } from './optimizing.ts';
import { forkedSpares, Parking } from './parking.ts';
import { placeTogether, useHugePages } from './placement.ts';
import { quiet } from './quiesce.ts';
import { rehearse } from './rehearsal.ts';
import { replaceRandom, takeAway } from './repairs/index.ts';
import type { JobStart } from './request.ts';
import { nodeSystem } from './system.ts';
import { loadWholly } from './user-code.ts';
import { whyNotProven } from './versions.ts';

const QUIET_MS = 1_000;

async function main(): Promise<void> {
  takeFlags();
  const config = takeConfig(process.env);
  if (config.fork !== 'unproven') assertProven();
  process.title = `rocksy ${config.pool}/${config.generation} zygote`;
  // The listening socket, and whatever else somebody up the line has let through: no program gets any of it.
  for (const { fd } of descriptors('self')) setCloseOnExec(fd, 'close');
  setChildSubreaper();
  ignoreSignals();
  const reports = new Reports((report) => runs.report(report));
  const ownDescriptors = descriptors('self').map(({ fd }) => fd); // whatever comes now is the bootstrap's
  replaceRandom();
  const placed = placeTogether();
  const leftBehind = new LeftBehind();
  const userCode = await loadWholly(config);
  // The daemon will look at our threads: one that is about to fall asleep is none of the bootstrap's.
  await quiet(QUIET_MS);
  const left = leftBehind.end();
  const signalListeners = takeAway().filter(([, listener]) => listener !== ignore);
  const helpers = new Set(children(process.pid));

  const forker = new Forker();
  const origin = forkedHere(signalListeners, () => {
    server.abandon();
    reports.abandon();
    parking.abandon();
    cancelAll();
  });
  const child = new Child(config, userCode, reports.childrenFd, origin);
  const parking: Parking = new Parking(
    config.prefork,
    forkedSpares(forker, (socket) => child.park(socket)),
  );
  const runs: Runs<JobStart> = new Runs(
    nodeSystem(child, forker, parking, reports, helpers),
    { claimTimeoutMs: config.claim_timeout_ms, leaveChildren: config.leave_children },
    {
      changed: (key) => server.changed(key),
      refused: (key, refusal) => server.refused(key, refusal),
    },
  );
  const server: Server<JobStart> = new Server(runs, config, {
    ...jobRuntime(config, parking, runs),
    descriptors: (sessions) => [...ownDescriptors, ...sessions, ...parking.descriptors],
    left,
  });

  process.on('SIGCHLD', () => runs.reap());
  process.on('SIGTERM', () => server.drain());
  ignoreSignals();
  rehearse();
  optimize('nothing');
  placed();
  useHugePages();
  server.listen(LISTEN_FD);
}

/** Which flags a version needs is known when it runs: it is started once more, in its own place, where some are missing. */
function takeFlags(): void {
  const missing = flagsOf(process.version).filter((flag) => !process.execArgv.includes(flag));
  if (missing.length === 0) return;
  const argv = [process.execPath, ...missing, ...process.execArgv, ...process.argv.slice(1)];
  become(process.execPath, argv, [0, 1, 2, LISTEN_FD]);
}

function assertProven(): void {
  const why = whyNotProven(process.version, process.arch);
  if (why === null) return;
  console.error(why);
  process.exit(1);
}

/** SIGPIPE is ignored by Node itself. */
function ignoreSignals(): void {
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, ignore);
}

function ignore(): void {}

// Not awaited: a child would carry on with a module that is still being evaluated.
main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
