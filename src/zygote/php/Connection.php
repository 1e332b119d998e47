<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** One accepted connection: lines in, lines out. */
final class Connection
{
    private const MOST_WAITING_BYTES = 64 << 20;

    /** The other side has gone, or keeps to no limit. */
    public bool $closed = false;
    public string $out = '';
    private string $in = '';
    private int $position = 0;

    public function __construct(public readonly int $fd)
    {
    }

    /** Reads once. False when there was nothing more for now. */
    public function receive(): bool
    {
        $bytes = Posix::read($this->fd);
        if ($bytes === null) {
            return false;
        }
        if ($bytes === '') {
            $this->closed = true;
            return false;
        }
        $this->in = $this->position === 0 ? $this->in . $bytes : substr($this->in, $this->position) . $bytes;
        $this->position = 0;
        if (strlen($this->in) > self::MOST_WAITING_BYTES) {
            $this->closed = true;
        }
        return true;
    }

    public function nextLine(): ?string
    {
        $end = strpos($this->in, "\n", $this->position);
        if ($end === false) {
            return null;
        }
        $line = substr($this->in, $this->position, $end - $this->position);
        $this->position = $end + 1;
        return $line;
    }

    public function hasLine(): bool
    {
        return $this->in !== '' && strpos($this->in, "\n", $this->position) !== false;
    }

    public function say(string $line): void
    {
        $this->out .= $line . "\n";
    }

    public function flush(): void
    {
        while ($this->out !== '') {
            $sent = Posix::$c->send($this->fd, $this->out, strlen($this->out), Posix::MSG_DONTWAIT | Posix::MSG_NOSIGNAL);
            if ($sent < 0) {
                $error = Posix::errno();
                if ($error === Posix::EINTR) {
                    continue;
                }
                // Whoever reads nothing for so long is cut off, and told everything when it is back.
                $this->closed = $this->closed || $error !== Posix::EAGAIN || strlen($this->out) > self::MOST_WAITING_BYTES;
                return;
            }
            $this->out = substr($this->out, $sent);
        }
    }
}
