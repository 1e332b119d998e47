<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** Children that wait for a run, the oldest first. */
final class Parking
{
    /** After one died unasked or fork failed, the next one is tried so much later. */
    private const PAUSE_MS = 1_000;

    /** @var array<int, Parked> by pid */
    private array $parked = [];
    /** Not before the probe: the daemon looks at our descriptors first, and refuses what it does not know. */
    private bool $open = false;
    private int $refillAt = 0;

    public function __construct(private readonly int $places)
    {
    }

    public function open(): void
    {
        $this->open = true;
    }

    /** A child ends when its socket does. */
    public function close(): void
    {
        $this->open = false;
        foreach ($this->parked as $child) {
            Posix::$c->close($child->socket);
        }
        $this->parked = [];
    }

    public function count(): int
    {
        return count($this->parked);
    }

    /** @return list<int> our ends */
    public function descriptors(): array
    {
        return array_column($this->parked, 'socket');
    }

    /** When the next one is to be forked, in ms; PHP_INT_MAX is never. */
    public function refillAt(): int
    {
        return $this->open && count($this->parked) < $this->places ? $this->refillAt : PHP_INT_MAX;
    }

    public function add(int $pid, Parked $child): void
    {
        $this->parked[$pid] = $child;
    }

    public function pause(int $now): void
    {
        $this->refillAt = $now + self::PAUSE_MS;
    }

    /** Gives the run to the oldest; null when nobody can take it. */
    public function give(Run $run): ?int
    {
        if (strlen($run->line) > Posix::BUFFER_BYTES) {
            return null; // more than the child reads at once; a forked one has it in memory
        }
        foreach ($this->parked as $pid => $child) {
            unset($this->parked[$pid]);
            $sent = Posix::$c->send($child->socket, $run->line, strlen($run->line), Posix::MSG_DONTWAIT | Posix::MSG_NOSIGNAL);
            Posix::$c->close($child->socket);
            if ($sent === strlen($run->line)) {
                return $pid;
            }
        }
        return null;
    }

    public function reaped(int $pid, Parked $child, int $now): void
    {
        if (isset($this->parked[$pid])) {
            Posix::$c->close($child->socket);
            unset($this->parked[$pid]);
            $this->pause($now);
        }
    }
}

/** One of them, on its end of a socket pair. */
final class Parked
{
    public function __construct(public readonly int $socket, public readonly int $childSocket)
    {
    }
}
