// Jobs with instances: so many runs at all times, or as many as a backlog asks for. What follows from what is known is
// pure (desired.ts); the keeper looks at backlogs, has runs started and has them cancelled, through ports.
// It must not know the store, hosts or how a run comes about: a run is a key, two times and whether it is ending.
export { type BacklogRules, backlogReader, type ReadBacklog, type Reading } from './backlog/index.ts';
export { InstanceKeeper, type InstanceKeeperOptions, type KeeperPorts, type KeptJob } from './keeper.ts';
export type { InstanceEnd, InstanceRun } from './run.ts';
export type { InstancesView } from './view.ts';
