// Which of many descriptors have something to read, for the moments in which no event loop watches them.
import { closeSync } from 'node:fs';
import { call, define } from './libc.ts';

// linux/eventpoll.h. struct epoll_event is packed on x86-64 only: epoll_event(3type), its __EPOLL_PACKED.
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;
const EPOLLRDHUP = 0x2000;
const EPOLLONESHOT = 1 << 30;
const DATA_AT = process.arch === 'x64' ? 4 : 8;
const SIZEOF_EVENT = DATA_AT + 8;
const EVENTS_AT_ONCE = 1024;

const c = {
  create: define<[number]>('int epoll_create1(int)'),
  ctl: define<[number, number, number, Buffer]>('int epoll_ctl(int, int, int, void *)'),
  wait: define<[number, Buffer, number, number]>('int epoll_wait(int, void *, int, int)'),
};

/**
 * Descriptors by numbers of the caller's; each is told of once, when it has something to read, or its other side has
 * ended. One that is closed in every process leaves by itself. Expects EMFILE, ENFILE: epoll(7).
 */
export class ReadySet {
  readonly #fd = call('epoll_create1', 'EPOLL_CLOEXEC', () => c.create(EPOLL_CLOEXEC));
  readonly #event = Buffer.alloc(SIZEOF_EVENT);
  readonly #events = Buffer.alloc(SIZEOF_EVENT * EVENTS_AT_ONCE);

  /** Expects EEXIST, EPERM (a file that is always ready), ENOSPC (fs.epoll.max_user_watches): epoll_ctl(2). */
  add(fd: number, number: number): void {
    this.#event.writeUInt32LE(EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, 0);
    this.#event.writeDoubleLE(number, DATA_AT);
    call('epoll_ctl', `descriptor ${fd}`, () => c.ctl(this.#fd, EPOLL_CTL_ADD, fd, this.#event));
  }

  /** Those that have become ready and were not told of; never waits. */
  take(): number[] {
    const numbers: number[] = [];
    for (let count = EVENTS_AT_ONCE; count === EVENTS_AT_ONCE; ) {
      count = call('epoll_wait', 'ready set', () => c.wait(this.#fd, this.#events, EVENTS_AT_ONCE, 0));
      for (let i = 0; i < count; i++) numbers.push(this.#events.readDoubleLE(i * SIZEOF_EVENT + DATA_AT));
    }
    return numbers;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
