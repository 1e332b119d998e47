// The program `rocksy server`: configuration, keeper and worker, the parts of the cloud wired together.
// For the command line.
// Nothing else is decided here.
export { loadServerConfig, type ServerConfig, serverConfigSchema } from './config.ts';
export { checkServerConfig, runServer, WORKER_FLAGS } from './main.ts';
