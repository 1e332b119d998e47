// rocksyd, the daemon on every server: clients on one side, zygotes on the other, the journal beneath.
// Started through bin/rocksyd.cjs; everybody else meets it on the wire.
// Must not know the cloud, nor be imported by anything but the executable.
export { main } from './rocksyd.ts';
