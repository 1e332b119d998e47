<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/**
 * What runs leave behind: every child of the zygote that it did not fork.
 *
 * A run is the subreaper of what it starts. When it dies, its descendants are given to the next subreaper above,
 * the zygote (prctl(2), PR_SET_CHILD_SUBREAPER): before its death can be waited for, because the kernel does both
 * under one lock (exit_notify in kernel/exit.c). No setsid and no double fork leads out of this.
 */
final class Strays
{
    /** A process that SIGKILL does not end (uninterruptible sleep) is waited for so long. */
    public const PATIENCE_MS = 2_000;

    /** @var array<int, int> pid => when it was first seen, in ms */
    private array $seen = [];
    /** @var array<int, true> children of the bootstrap: helpers that it wants */
    private array $kept = [];

    private function __construct(private readonly int $childrenFd)
    {
    }

    public static function open(): self
    {
        $tid = posix_getpid(); // the zygote has one thread
        $fd = Posix::$c->open("/proc/self/task/$tid/children", Posix::O_CLOEXEC, 0);
        if ($fd < 0) {
            throw new \RuntimeException('/proc/self/task/TID/children: ' . Posix::error() . ' (a kernel with CONFIG_PROC_CHILDREN is needed)');
        }
        $strays = new self($fd);
        $strays->kept = array_fill_keys($strays->children(), true);
        return $strays;
    }

    public function descriptor(): int
    {
        return $this->childrenFd;
    }

    /**
     * Kills them all.
     *
     * @param array<int, mixed> $own by pid: what the zygote did fork
     * @return bool whether somebody is left who is worth waiting for
     */
    public function kill(array $own, int $now): bool
    {
        $seen = [];
        $waiting = false;
        foreach ($this->children() as $pid) {
            if (isset($own[$pid]) || isset($this->kept[$pid])) {
                continue;
            }
            posix_kill($pid, SIGKILL); // our child and not reaped: the pid is its own
            $seen[$pid] = $this->seen[$pid] ?? $now;
            $waiting = $waiting || $now - $seen[$pid] < self::PATIENCE_MS;
        }
        $this->seen = $seen;
        return $waiting;
    }

    public function any(): bool
    {
        return $this->seen !== [];
    }

    public function reaped(int $pid): void
    {
        unset($this->seen[$pid], $this->kept[$pid]);
    }

    /** @return list<int> complete, since nobody but this thread removes one from the list (proc_pid_children(5)) */
    private function children(): array
    {
        return array_map(intval(...), preg_split('/ /', Posix::readFromStart($this->childrenFd), -1, PREG_SPLIT_NO_EMPTY));
    }
}
