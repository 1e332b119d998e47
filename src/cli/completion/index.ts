// Shell completion: what may stand at a place of the command line, read from the commander tree, and the scripts that ask.
// For the commands `completion` and `__complete`.
// Must not know a single command by name, nor the daemon.
export { candidates, type Names } from './candidates.ts';
export { SHELLS, type Shell, scriptFor } from './scripts.ts';
