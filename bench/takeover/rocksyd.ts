import { TestDaemon } from '../../test/support/daemon.ts';
import type { Address } from '../../test/support/load/address.ts';
import { Wire } from '../../test/support/wire.ts';
import type { Site } from '../support/site.ts';
import { freePort } from './processes.ts';
import { type Contender, type Replaceable, Unusable } from './replaceable.ts';

type Replace = (daemon: TestDaemon) => Promise<Readonly<Record<string, number>>>;

class Rocksyd implements Replaceable {
  readonly address: Address;
  readonly dialect = 'rocksy';
  readonly #daemon: TestDaemon;
  readonly #replace: Replace;

  private constructor(daemon: TestDaemon, address: Address, replace: Replace) {
    this.#daemon = daemon;
    this.address = address;
    this.#replace = replace;
  }

  static async start(replace: Replace, { program }: Site): Promise<Rocksyd> {
    const port = await freePort();
    const daemon = await TestDaemon.start({
      pools: '  os: { runtime: command, {user} }',
      listen: [`tcp://127.0.0.1:${port}`],
      more: 'auth: none\nlog: { level: warn }\n',
      program,
    });
    return new Rocksyd(daemon, { port }, replace);
  }

  async replace(): Promise<Readonly<Record<string, number>>> {
    return await this.#replace(this.#daemon);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
  }
}

export const takeover: Contender = {
  name: 'rocksyd: restart',
  needs: null,
  start: (site) => Rocksyd.start(askForRestart, site),
};

export const stopAndStart: Contender = {
  name: 'rocksyd: stop and start',
  needs: null,
  start: (site) => Rocksyd.start(stopThenStart, site),
};

async function stopThenStart(daemon: TestDaemon): Promise<Readonly<Record<string, number>>> {
  await daemon.stop();
  await daemon.start();
  return {};
}

async function askForRestart({ socket }: TestDaemon): Promise<Readonly<Record<string, number>>> {
  using wire = await Wire.open(socket);
  const answer = await wire.ask('restart {"id":1}');
  if (answer.ok !== true) throw new Unusable(String(answer.message));
  const numbers = Object.entries(answer.takeover ?? {}).filter(([, value]) => typeof value === 'number');
  return Object.fromEntries(numbers);
}
