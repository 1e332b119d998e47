<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** poll(2) on some descriptors that are always there, and on connections. */
final class Poller
{
    /** @var list<int> what the array in C is made for */
    private array $fds = [];
    private ?\FFI\CData $set = null;

    /** @param list<int> $fixed */
    public function __construct(private readonly array $fixed)
    {
    }

    /**
     * What happened, in poll(2)'s numbers.
     *
     * @param array<int, Connection> $connections by descriptor
     * @param int $patienceMs -1 is for ever
     * @return array{list<int>, array<int, int>} the fixed ones in their order, connections by descriptor
     */
    public function wait(array $connections, int $patienceMs): array
    {
        $fds = [...$this->fixed, ...array_keys($connections)];
        if ($fds !== $this->fds) {
            $this->build($fds);
        }
        $first = count($this->fixed);
        $index = $first;
        foreach ($connections as $connection) {
            $this->set[$index++]->events = Posix::POLLIN | ($connection->out === '' ? 0 : Posix::POLLOUT);
        }
        $fixed = array_fill(0, $first, 0);
        $ready = [];
        if (Posix::$c->poll($this->set, $index, $patienceMs) > 0) {
            foreach ($fixed as $i => $nothing) {
                $fixed[$i] = $this->set[$i]->revents;
            }
            $index = $first;
            foreach ($connections as $fd => $connection) {
                $ready[$fd] = $this->set[$index++]->revents & ~Posix::POLLOUT;
            }
        }
        return [$fixed, $ready];
    }

    /** @param list<int> $fds */
    private function build(array $fds): void
    {
        $this->fds = $fds;
        $this->set = Posix::$c->new('struct pollfd[' . count($fds) . ']');
        foreach ($fds as $index => $fd) {
            $this->set[$index]->fd = $fd;
            $this->set[$index]->events = Posix::POLLIN;
        }
    }
}
