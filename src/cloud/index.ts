// The control plane: jobs, schedules, runs and hosts, over a store; `rocksy server` is its program.
// For the command line, which starts it. It must not know the daemon: they meet on the wire.
// Its rooms are entered by their own doors.
export { type Clock, systemClock } from './clock.ts';
