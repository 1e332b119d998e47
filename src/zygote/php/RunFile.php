<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** The file that makes this process the one and only execution of its key, and what the run says in it. */
final class RunFile
{
    public const MOST_ERROR_BYTES = 8_000;
    public const MOST_PROGRESS_BYTES = 1_000;
    public const MOST_RESULT_BYTES = 65_536;

    private static int $fd = -1;

    /** Why this process must not run; null when the key is its own. */
    public static function claim(string $path, string $identity): ?string
    {
        // O_APPEND: a job's own `echo … >> file` and these lines must not write over one another.
        $flags = Posix::O_WRONLY | Posix::O_CREAT | Posix::O_EXCL | Posix::O_APPEND | Posix::O_CLOEXEC;
        $fd = Posix::$c->open($path, $flags, 0600);
        if ($fd < 0) {
            return Posix::errno() === Posix::EEXIST ? 'the key is claimed already' : "cannot create $path: " . Posix::error();
        }
        self::$fd = $fd;
        $line = "claim 1 $identity " . (int) (microtime(true) * 1e3);
        return self::append($line) ? null : "cannot write to $path: " . Posix::error();
    }

    /** One line, one write: lines of several writers don't mix. */
    public static function append(string $line): bool
    {
        $line .= "\n";
        return self::$fd >= 0 && Posix::$c->write(self::$fd, $line, strlen($line)) === strlen($line);
    }

    /** Line breaks as \n (backslash, n); cut where a character ends. */
    public static function oneLine(string $text, int $bytes): string
    {
        $text = str_replace(["\r\n", "\n", "\r"], '\n', $text);
        if (strlen($text) <= $bytes) {
            return $text;
        }
        while ($bytes > 0 && (ord($text[$bytes]) & 0xC0) === 0x80) {
            $bytes--;
        }
        return substr($text, 0, $bytes);
    }
}
