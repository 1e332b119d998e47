import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { test } from 'node:test';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** Lines that are waited for one after the other. */
function linesOf(from: NodeJS.ReadableStream): (fits: RegExp) => Promise<string> {
  const lines: Interface = createInterface({ input: from });
  const iterator = lines[Symbol.asyncIterator]();
  return async (fits) => {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next())
      if (fits.test(next.value)) return next.value;
    throw new Error(`ended before ${fits}`);
  };
}

test('the example does what its page says: new code over an old connection, and a broken one changes nothing', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'example-'));
  symlinkSync(path.join(ROOT, 'src'), path.join(folder, 'src'));
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  cpSync(path.join(ROOT, 'examples/takeover'), path.join(folder, 'examples/takeover'), { recursive: true });
  const server = path.join(folder, 'examples/takeover/server.ts');
  const keeper = spawn(process.execPath, [path.join(folder, 'examples/takeover/keeper.ts'), '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const printed = linesOf(keeper.stdout);
    const port = Number(/:(\d+)/.exec(await printed(/address/))?.[1]);
    await printed(/worker ready/);
    const client: Socket = connect(port, '127.0.0.1');
    const answer = linesOf(client);
    client.write('hello\n');
    assert.equal(await answer(/./), 'line 1: hello');
    client.write('half a ');
    writeFileSync(server, readFileSync(server, 'utf8').replace('`line ', '`LINE '));
    keeper.kill('SIGHUP');
    await printed(/worker ready/);
    client.write('line\n');
    assert.equal(await answer(/./), 'LINE 2: half a line');
    writeFileSync(server, 'this is no program');
    keeper.kill('SIGHUP');
    await printed(/ended with code 1 before it had taken over/);
    client.write('still there\n');
    assert.equal(await answer(/./), 'LINE 3: still there');
    client.destroy();
    const ended = new Promise((resolve) => keeper.once('exit', resolve));
    keeper.kill('SIGTERM');
    assert.equal(await ended, 0);
  } finally {
    keeper.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});
