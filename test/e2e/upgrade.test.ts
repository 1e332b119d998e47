// From another release to the present code under load, and back. The other release is a package as it was published:
// test/releases holds the last one.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { NO_LOSSES, startLoad } from '../support/load/load.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const RELEASES = path.join(ROOT, 'test/releases');

/** Unpacks a published package; what it depends on it finds in this checkout. */
function install(archive: string, folder: string): string {
  fs.mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', path.join(RELEASES, archive), '-C', folder, '--strip-components=1']);
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
  return folder;
}

/** As an administrator switches releases: the link is replaced in one step. */
function point(link: string, to: string): void {
  fs.symlinkSync(to, `${link}.new`);
  fs.renameSync(`${link}.new`, link);
}

for (const archive of fs.readdirSync(RELEASES)) {
  test(`from ${archive} to the present code and back, with live connections and runs`, async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'upgrade-'));
    fs.chmodSync(folder, 0o755);
    try {
      const other = install(archive, path.join(folder, 'releases/other'));
      const link = path.join(folder, 'current');
      point(link, other);
      await using daemon = await TestDaemon.start({
        pools: '  os: { runtime: command, {user} }',
        listen: ['tcp://127.0.0.1:0'],
        more: 'auth: none\n',
        program: path.join(link, 'bin/rocksyd.cjs'),
      });
      const addresses = [{ path: daemon.socket }, { port: daemon.tcpPort }] as const;
      await using load = await startLoad({ addresses, connections: 50, seed: 1, state: daemon.state });
      const client = await daemon.connect();
      const programOf = async (): Promise<string> =>
        fs
          .readFileSync(`/proc/${await daemon.workerPid()}/cmdline`, 'utf8')
          .split('\0')
          .find((word) => word.endsWith('rocksyd.cjs')) ?? '';
      const long = await client.run({
        key: 'long',
        argv: [
          'sh',
          '-c',
          'while [ ! -e "$0" ]; do sleep 0.05; done; exit 3',
          path.join(daemon.scratch, 'end'),
        ],
      });
      assert.equal(long.run.state, 'running');
      const ended = client.wait('long');
      for (const to of [ROOT, other, ROOT]) {
        point(link, to);
        await load.during(async () => assert.notEqual((await client.restart()).takeover, null));
        assert.equal(await programOf(), path.join(to, 'bin/rocksyd.cjs'));
      }
      const { losses, complaints } = await load.stop();
      assert.deepEqual(losses, NO_LOSSES, complaints.join('\n'));
      fs.writeFileSync(path.join(daemon.scratch, 'end'), '');
      assert.equal((await ended).code, 3);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });
}
