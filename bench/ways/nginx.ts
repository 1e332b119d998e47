import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { children } from '../../src/posix/index.ts';
import { isAlive, until } from '../../test/support/daemon.ts';
import type { Address } from '../../test/support/load/address.ts';
import type { Site } from '../support/site.ts';
import { freePort, gone, listening, pathOf } from '../takeover/processes.ts';
import type { Contender, Replaceable } from '../takeover/replaceable.ts';

/** Whatever is not about connections is as Debian's package has it. */
const configuration = (folder: string, port: number, connections: number): string => `
pid ${folder}/pid;
error_log ${folder}/error.log;
worker_processes auto;
worker_rlimit_nofile ${2 * connections + 1000};
events { worker_connections ${connections + 500}; }
http {
  access_log off;
  # Only the replacement is to cut a connection.
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `${of}_temp_path ${folder}/${of};`).join(' ')}
  server {
    listen 127.0.0.1:${port};
    location / { default_type text/plain; return 200 $arg_n; }
  }
}
`;

const NEEDS = { program: 'nginx', debianPackage: 'nginx-light' };

type Replace = (nginx: Nginx) => Promise<void>;

class Nginx implements Replaceable {
  readonly address: Address;
  readonly dialect = 'http';
  readonly #pidFile: string;
  readonly #replace: Replace;

  private constructor(address: Address, pidFile: string, replace: Replace) {
    this.address = address;
    this.#pidFile = pidFile;
    this.#replace = replace;
  }

  static async start(site: Site, connections: number, replace: Replace): Promise<Nginx> {
    const folder = site.forUs();
    const port = await freePort();
    const file = path.join(folder, 'nginx.conf');
    writeFileSync(file, configuration(folder, port, connections));
    // As a daemon, since in the foreground it ignores USR2: the process that is waited for here leaves the master behind.
    // By its full path, since it executes itself under the name that it was started by.
    execFileSync(
      pathOf(NEEDS.program) ?? NEEDS.program,
      ['-p', folder, '-c', file, '-e', path.join(folder, 'error.log')],
      {
        stdio: 'inherit',
      },
    );
    await listening(port);
    return new Nginx({ port }, path.join(folder, 'pid'), replace);
  }

  /** Pid of the newest master; 0 while the file is being written anew. */
  get master(): number {
    try {
      return Number(readFileSync(this.#pidFile, 'utf8'));
    } catch {
      return 0;
    }
  }

  async replace(): Promise<Readonly<Record<string, number>>> {
    await this.#replace(this);
    return {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { master } = this;
    process.kill(master, 'SIGTERM');
    await until('nginx has ended', () => !isAlive(master));
  }
}

/** A new program takes over the listening sockets, and the old one is asked to leave (nginx.org, 'Controlling nginx'). */
export const nginxUpgrade: Contender = {
  name: 'nginx: USR2 and QUIT',
  needs: NEEDS,
  start: (site, connections) =>
    Nginx.start(site, connections, async (nginx) => {
      const old = nginx.master;
      const workers = children(old);
      process.kill(old, 'SIGUSR2');
      await until('the new nginx has workers', () => {
        const { master } = nginx;
        return master !== 0 && master !== old && children(master).length >= workers.length;
      });
      process.kill(old, 'SIGQUIT');
      await gone([old, ...workers]);
    }),
};

/** New workers with the configuration as it is now; the program stays. */
export const nginxReload: Contender = {
  name: 'nginx: reload',
  needs: NEEDS,
  start: (site, connections) =>
    Nginx.start(site, connections, async ({ master }) => {
      const workers = children(master);
      process.kill(master, 'SIGHUP');
      await gone(workers);
    }),
};
