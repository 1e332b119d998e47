// The `rocksy` command (docs/cli.md): words and options in, requests to a daemon through src/client, text or JSON out.
// bin/rocksy.cjs starts it.
// Must not know how the daemon does anything, nor the wire below the client.
export { main } from './rocksy.ts';
