// The daemon's configuration: one YAML file in, one frozen Config out, or every mistake with its line.
// It must not know what the daemon does with it: no sockets, no processes, nothing written.
// Others import from here only, and never see the file's own keys or YAML.
export type {
  Auth,
  Config,
  Join,
  Limits,
  PoolConfig,
  Retention,
  Rlimit,
  Role,
  SecretSource,
  Token,
} from './config.ts';
export { loadConfig, parseConfig } from './load.ts';
export { configSchema } from './schema.ts';
export {
  MAX_SECRET_BYTES,
  MIN_SECRET_LENGTH,
  readEnvFile,
  readSecretFile,
  whyNoSecret,
} from './secret-files.ts';
export { shortNames, shortWarning } from './secrets.ts';
export { realSurroundings, type Surroundings } from './surroundings.ts';
