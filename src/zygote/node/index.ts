// The zygote of node pools: a live Node process that has loaded the application and forks for every run.
// Started as a program (zygote.ts) by src/zygote/launcher.ts; this door is for what is shared with the launcher.
// Must not know the daemon beyond the contract of docs/zygote.md.
export { FORK_ENVIRONMENT, FORK_FLAGS, START_FLAGS } from './flags.ts';
