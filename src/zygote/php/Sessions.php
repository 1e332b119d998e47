<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** The daemons' connections: lines in and out, hello, and which of them is the session that is told of events. */
final class Sessions
{
    /** @var array<int, Connection> by descriptor */
    private array $connections = [];
    private ?Connection $current = null;
    private int $number = 0;

    public function __construct(private readonly int $listener, private readonly Zygote $zygote)
    {
    }

    /** @return array<int, Connection> by descriptor */
    public function connections(): array
    {
        return $this->connections;
    }

    public function accept(): void
    {
        while (($fd = Posix::$c->accept4($this->listener, null, null, Posix::O_NONBLOCK | Posix::O_CLOEXEC)) >= 0) {
            $this->connections[$fd] = new Connection($fd);
        }
    }

    /** @param array<int, int> $ready by descriptor: what poll(2) says of it */
    public function receive(array $ready): void
    {
        foreach ($this->connections as $fd => $connection) {
            if (!isset($this->connections[$fd])) {
                continue; // dropped by another one's hello
            }
            if (($ready[$fd] ?? 0) !== 0) {
                $connection->receive();
            }
            while (isset($this->connections[$fd]) && $this->zygote->takesMore() && ($line = $connection->nextLine()) !== null) {
                $this->handle($connection, $line);
            }
        }
    }

    /** Lines that were received and had to wait for the next turn. */
    public function haveLines(): bool
    {
        foreach ($this->connections as $connection) {
            if ($connection->hasLine()) {
                return true;
            }
        }
        return false;
    }

    public function flush(): void
    {
        foreach ($this->connections as $connection) {
            $connection->flush();
            if ($connection->closed && !$connection->hasLine()) {
                $this->drop($connection);
            }
        }
    }

    /** To the current session. What a zygote without one would have said is told at the next hello. */
    public function tell(string $event): void
    {
        $this->current?->say($event);
    }

    private function drop(Connection $connection): void
    {
        if (!isset($this->connections[$connection->fd])) {
            return;
        }
        $connection->flush();
        Posix::$c->close($connection->fd);
        unset($this->connections[$connection->fd]);
        if ($this->current === $connection) {
            $this->current = null;
        }
    }

    private function handle(Connection $connection, string $line): void
    {
        $request = Json::decode($line);
        if (!is_array($request) || !is_string($request['op'] ?? null)) {
            $this->protest($connection, null, 'a request is one JSON object a line, with "op"');
        } elseif ($request['op'] === 'hello') {
            $this->hello($connection, $request);
        } elseif ($connection !== $this->current) {
            $this->protest($connection, $request['id'] ?? null, 'the first request of a connection is hello');
            $this->drop($connection);
        } else {
            $this->zygote->request($request, $line);
        }
    }

    /** @param array<string, mixed> $request */
    private function hello(Connection $connection, array $request): void
    {
        $id = $request['id'] ?? null;
        $session = $request['session'] ?? null;
        $problem = match (true) {
            ($request['version'] ?? 1) !== 1 => 'this zygote speaks version 1 of the contract',
            !is_int($session) => '"session" must be an integer',
            $session <= $this->number => "session $session is not higher than the current one, $this->number",
            default => null,
        };
        if ($problem !== null) {
            $this->protest($connection, $id, $problem);
            $this->drop($connection);
            return;
        }
        if ($this->current !== null && $this->current !== $connection) {
            $this->finish($this->current);
        }
        $this->number = $session;
        $this->current = $connection;
        $this->zygote->introduce($id, $session);
    }

    /**
     * Whatever the older session has sent is carried out before the new one is told what there is: a run that it is not
     * told of was never started, and never will be.
     */
    private function finish(Connection $older): void
    {
        do {
            while (($line = $older->nextLine()) !== null) {
                $this->handle($older, $line);
            }
        } while ($older->receive());
        while (($line = $older->nextLine()) !== null) {
            $this->handle($older, $line);
        }
        $this->drop($older);
    }

    private function protest(Connection $connection, mixed $id, string $message): void
    {
        $connection->say(Json::answer('error', $id, ['message' => $message]));
    }
}
