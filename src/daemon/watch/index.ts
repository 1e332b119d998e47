// `rocksyd --watch`, for developers: pools load their code anew as its files change, and errors stand in the terminal.
// For the worker. It is the only part of the daemon that looks at source files.
// Must not know connections, runs or the journal: it asks pools to reload, and the worker to take up a configuration.
export { Watch, type Watchable } from './watch.ts';
