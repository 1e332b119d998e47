<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/**
 * The system calls that PHP 8.2 lacks, through FFI.
 *
 * Constants are those of Linux on x86-64 and arm64, where they agree.
 */
final class Posix
{
    public const EINTR = 4;
    public const EAGAIN = 11;
    public const EEXIST = 17;

    public const O_WRONLY = 0x1;
    public const O_CREAT = 0x40;
    public const O_EXCL = 0x80;
    public const O_APPEND = 0x400;
    public const O_NONBLOCK = 0x800;
    public const O_CLOEXEC = 0x80000;

    public const POLLIN = 0x1;
    public const POLLOUT = 0x4;

    public const MSG_DONTWAIT = 0x40;
    public const MSG_NOSIGNAL = 0x4000;

    public const PR_SET_PDEATHSIG = 1;
    public const PR_SET_CHILD_SUBREAPER = 36;

    /** One buffer for all reading; nobody keeps what is in it. */
    public const BUFFER_BYTES = 65_536;

    private const AF_UNIX = 1;
    private const SOCK_SEQPACKET = 5;
    private const F_SETFD = 2;
    private const F_SETFL = 4;
    private const FD_CLOEXEC = 1;
    private const MFD_CLOEXEC = 1;

    private const DECLARATIONS = '
        struct pollfd { int fd; short events; short revents; };
        int poll(struct pollfd *, unsigned long, int);
        int socketpair(int, int, int, int *);
        int pipe2(int *, int);
        int accept4(int, void *, void *, int);
        int open(const char *, int, int);
        int close(int);
        int dup2(int, int);
        int fcntl(int, int, long);
        int memfd_create(const char *, unsigned);
        long lseek(int, long, int);
        long read(int, void *, unsigned long);
        long pread(int, void *, unsigned long, long);
        long write(int, const char *, unsigned long);
        long send(int, const char *, unsigned long, int);
        int signalfd(int, const char *, int);
        int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long);
        int malloc_trim(unsigned long);
        int *__errno_location(void);
        void _exit(int);
    ';

    /** For the callers that are on the way to user code, where each call counts. */
    public static \FFI $c;
    private static \FFI\CData $buffer;

    public static function load(): void
    {
        self::$c = \FFI::cdef(self::DECLARATIONS);
        self::$buffer = self::$c->new('char[' . self::BUFFER_BYTES . ']');
    }

    public static function errno(): int
    {
        return self::$c->__errno_location()[0];
    }

    public static function error(): string
    {
        return posix_strerror(self::errno());
    }

    /** At most BUFFER_BYTES; '' at the end of the file; null when nothing is there (EAGAIN) or the read failed. */
    public static function read(int $fd): ?string
    {
        do {
            $bytes = self::$c->read($fd, self::$buffer, self::BUFFER_BYTES);
        } while ($bytes < 0 && self::errno() === self::EINTR);
        if ($bytes > 0) {
            return \FFI::string(self::$buffer, $bytes);
        }
        return $bytes === 0 || self::errno() !== self::EAGAIN ? '' : null;
    }

    /** The whole of a small file of /proc, from its beginning, through a descriptor that stays open. */
    public static function readFromStart(int $fd): string
    {
        $all = '';
        while (($bytes = self::$c->pread($fd, self::$buffer, self::BUFFER_BYTES, strlen($all))) > 0) {
            $all .= \FFI::string(self::$buffer, $bytes);
        }
        return $all;
    }

    public static function readProc(string $path): string
    {
        $fd = self::$c->open($path, self::O_CLOEXEC, 0);
        if ($fd < 0) {
            throw new \RuntimeException("$path: " . self::error());
        }
        $text = self::readFromStart($fd);
        self::$c->close($fd);
        return $text;
    }

    public static function writeAll(int $fd, string $text): bool
    {
        while ($text !== '') {
            $written = self::$c->write($fd, $text, strlen($text));
            if ($written < 0 && self::errno() !== self::EINTR) {
                return false;
            }
            $text = substr($text, max(0, $written));
        }
        return true;
    }

    /**
     * Whole messages, both ends close-on-exec: a message is taken by the kernel entirely or not at all.
     *
     * @return array{int, int}
     */
    public static function messagePair(): array
    {
        $ends = self::$c->new('int[2]');
        if (self::$c->socketpair(self::AF_UNIX, self::SOCK_SEQPACKET | self::O_CLOEXEC, 0, $ends) < 0) {
            throw new \RuntimeException('socketpair: ' . self::error());
        }
        return [$ends[0], $ends[1]];
    }

    /** @return array{int, int} the end to read, the end to write */
    public static function pipe(): array
    {
        $ends = self::$c->new('int[2]');
        if (self::$c->pipe2($ends, self::O_CLOEXEC) < 0) {
            throw new \RuntimeException('pipe2: ' . self::error());
        }
        return [$ends[0], $ends[1]];
    }

    /** @param list<int> $signals to be read from the descriptor; they must be blocked as well (signalfd(2)) */
    public static function signalfd(array $signals): int
    {
        $mask = 0;
        foreach ($signals as $signal) {
            $mask |= 1 << ($signal - 1);
        }
        $fd = self::$c->signalfd(-1, str_pad(pack('P', $mask), 128, "\0"), self::O_NONBLOCK | self::O_CLOEXEC);
        if ($fd < 0) {
            throw new \RuntimeException('signalfd: ' . self::error());
        }
        return $fd;
    }

    public static function setNonBlocking(int $fd): void
    {
        self::$c->fcntl($fd, self::F_SETFL, self::O_NONBLOCK);
    }

    public static function setCloseOnExec(int $fd): bool
    {
        return self::$c->fcntl($fd, self::F_SETFD, self::FD_CLOEXEC) === 0;
    }

    /** Makes descriptor 0 a file that holds the text and has no name. */
    public static function setStandardInput(string $text): bool
    {
        $fd = self::$c->memfd_create('stdin', self::MFD_CLOEXEC);
        if ($fd < 0 || !self::writeAll($fd, $text) || self::$c->lseek($fd, 0, SEEK_SET) < 0) {
            return false;
        }
        $ok = self::$c->dup2($fd, 0) === 0;
        self::$c->close($fd);
        return $ok;
    }

    /** @return list<int> */
    public static function openDescriptors(): array
    {
        // scandir's own descriptor is in its result and closed by now: link targets tell.
        return array_values(array_filter(
            array_map(intval(...), array_diff(scandir('/proc/self/fd') ?: [], ['.', '..'])),
            static fn (int $fd): bool => is_link("/proc/self/fd/$fd"),
        ));
    }
}
