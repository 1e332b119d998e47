// node examples/takeover/keeper.ts, then `nc 127.0.0.1 4000`, then change a word in server.ts and `kill -HUP` this process:
// the connection stays, and answers by the new code. Break server.ts and try again: it goes on by the old.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runKeeper } from '../../src/takeover/index.ts'; // in your program: 'rocksy/takeover'

const [port = '4000', entry = 'server.ts'] = process.argv.slice(2);

process.exitCode = await runKeeper({
  listeners: [{ name: 'tcp', kind: 'tcp', host: '127.0.0.1', port: Number(port), backlog: 511 }],
  lockDir: mkdtempSync(path.join(tmpdir(), 'takeover-')),
  waitMs: 0,
  entry: path.join(import.meta.dirname, entry),
  execArgv: [],
  args: [],
  env: process.env,
  log: (level, message, fields) => console.log(level, message, fields),
  backoff: { firstMs: 100, maxMs: 10_000, resetAfterMs: 30_000 },
  readyTimeoutMs: 10_000,
  stopTimeoutMs: 10_000,
  takeoverTimeoutMs: 10_000,
});
