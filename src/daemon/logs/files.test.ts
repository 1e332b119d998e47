import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { openPoolFile, openPoolFileNow, UnsafeFileError } from './files.ts';
import { logFixture } from './fixture.ts';

const unsafe = (reason: RegExp) => (error: unknown) =>
  error instanceof UnsafeFileError && error.code === 'unsafe_file' && reason.test(error.message);

test('a plain file of the pool user is opened, for reading and for writing', async (t) => {
  const log = logFixture(t);
  log.append('hello');
  await using reading = await openPoolFile(log, 'read');
  assert.equal(await reading?.readFile('utf8'), 'hello');
  await assert.rejects(async () => reading?.write('x'));
  await using writing = await openPoolFile(log, 'write');
  await writing?.write('J', 0);
});

test('a file or folder that is not there is null', async (t) => {
  const log = logFixture(t);
  assert.equal(await openPoolFile(log, 'read'), null);
  assert.equal(await openPoolFile({ ...log, folder: `${log.folder}-none` }, 'read'), null);
});

test('a symbolic link in the place of the file is refused', async (t) => {
  const log = logFixture(t);
  symlinkSync('/etc/shadow', log.path);
  await assert.rejects(openPoolFile(log, 'read'), unsafe(/symbolic link/));
});

test('a symbolic link in the place of the folder is refused', async (t) => {
  const log = logFixture(t);
  renameSync(log.folder, `${log.folder}-elsewhere`);
  symlinkSync(`${log.folder}-elsewhere`, log.folder);
  await assert.rejects(openPoolFile(log, 'read'), unsafe(/folder/));
});

test('a FIFO blocks nothing and is refused', async (t) => {
  const log = logFixture(t);
  execFileSync('mkfifo', [log.path]);
  await assert.rejects(openPoolFile(log, 'read'), unsafe(/not a regular file/));
  await assert.rejects(openPoolFile(log, 'write'), unsafe(/not a regular file/));
});

test('a folder or a socket in the place of the file is refused', async (t) => {
  const log = logFixture(t);
  mkdirSync(log.path);
  await assert.rejects(openPoolFile(log, 'read'), unsafe(/not a regular file/));
  await assert.rejects(openPoolFile(log, 'write'), unsafe(/folder/));
  const socket = { ...log, name: 's' };
  const server = createServer().listen(path.join(log.folder, 's'));
  await new Promise((resolve) => server.once('listening', resolve));
  await assert.rejects(openPoolFile(socket, 'read'), unsafe(/socket/));
  server.close();
});

test('a file of somebody else, as by a hard link, is refused', async (t) => {
  const log = logFixture(t);
  writeFileSync(log.path, 'secret');
  const other = { ...log, ownerUid: log.ownerUid + 1 };
  await assert.rejects(openPoolFile(other, 'read'), unsafe(/belongs to user/));
});

test('a name that is a path is a defect of the caller', async (t) => {
  const log = logFixture(t);
  for (const name of ['', '.', '..', '../x', 'a/b']) {
    await assert.rejects(openPoolFile({ ...log, name }, 'read'), /must not be a path/);
  }
});

test('opening in one turn refuses the same', (t) => {
  const log = logFixture(t);
  assert.equal(openPoolFileNow(log), null);
  execFileSync('mkfifo', [log.path]);
  assert.throws(() => openPoolFileNow(log), unsafe(/not a regular file/));
  symlinkSync('/etc/shadow', `${log.path}.link`);
  assert.throws(() => openPoolFileNow({ ...log, name: `${log.name}.link` }), unsafe(/symbolic link/));
  writeFileSync(`${log.path}.mine`, 'x');
  const mine = { ...log, name: `${log.name}.mine` };
  const fd = openPoolFileNow(mine);
  if (fd !== null) closeSync(fd);
  assert.throws(() => openPoolFileNow({ ...mine, ownerUid: log.ownerUid + 1 }), unsafe(/belongs to user/));
});
