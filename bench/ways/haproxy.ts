import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { children } from '../../src/posix/index.ts';
import { until } from '../../test/support/daemon.ts';
import type { Address } from '../../test/support/load/address.ts';
import type { Site } from '../support/site.ts';
import { freePort, gone, listening } from '../takeover/processes.ts';
import type { Contender, Replaceable } from '../takeover/replaceable.ts';

/** Only the replacement is to cut a connection: nothing else does for an hour. */
const configuration = (port: number, connections: number): string => `
global
  maxconn ${connections + 500}
  # It wants two descriptors for each, and needs one where it answers by itself.
  no strict-limits
defaults
  mode http
  timeout client 1h
  timeout http-request 1h
  timeout http-keep-alive 1h
  timeout connect 1s
  timeout server 1s
frontend clients
  bind 127.0.0.1:${port}
  http-request return status 200 content-type text/plain lf-string %[url_param(n)]
`;

class Haproxy implements Replaceable {
  readonly address: Address;
  readonly dialect = 'http';
  readonly #master: ChildProcess;

  private constructor(address: Address, master: ChildProcess) {
    this.address = address;
    this.#master = master;
  }

  static async start(site: Site, connections: number): Promise<Haproxy> {
    const port = await freePort();
    const folder = site.forUs();
    const file = path.join(folder, 'haproxy.cfg');
    writeFileSync(file, configuration(port, connections));
    const output = path.join(folder, 'haproxy.log');
    const log = openSync(output, 'w');
    // Master-worker mode; this process reaps the master, which reaps its workers.
    const master = spawn('haproxy', ['-W', '-f', file], { stdio: ['ignore', log, log] });
    closeSync(log);
    const ended = once(master, 'exit').then(() => {
      throw new Error(`haproxy has ended:\n${readFileSync(output, 'utf8')}`);
    });
    await Promise.race([listening(port), ended]);
    ended.catch(() => undefined);
    return new Haproxy({ port }, master);
  }

  get #pid(): number {
    return Number(this.#master.pid);
  }

  /** The new worker gets the listening sockets from the old one, which leaves when it has no connection any more. */
  async replace(): Promise<Readonly<Record<string, number>>> {
    const workers = children(this.#pid);
    this.#master.kill('SIGUSR2');
    await until('a new worker is there', () => children(this.#pid).some((pid) => !workers.includes(pid)));
    await gone(workers);
    return {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#master.kill('SIGTERM');
    await once(this.#master, 'exit');
  }
}

export const haproxyReload: Contender = {
  name: 'haproxy: reload',
  needs: { program: 'haproxy', debianPackage: 'haproxy' },
  start: (site, connections) => Haproxy.start(site, connections),
};
