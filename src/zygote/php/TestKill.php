<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/**
 * For tests of crashes: the process kills itself at one named step, once.
 *
 * ROCKSY_TEST_KILL names the step, ROCKSY_TEST_KILL_ONCE the file whose creation says that it has happened.
 */
final class TestKill
{
    private static ?string $step = null;
    private static string $once = '';

    public static function take(): void
    {
        self::$step = Config::takeVariable('ROCKSY_TEST_KILL');
        self::$once = Config::takeVariable('ROCKSY_TEST_KILL_ONCE') ?? '';
    }

    public static function at(string $step): void
    {
        if (self::$step !== $step) {
            return;
        }
        $flags = Posix::O_WRONLY | Posix::O_CREAT | Posix::O_EXCL | Posix::O_CLOEXEC;
        if (self::$once === '' || Posix::$c->open(self::$once, $flags, 0600) >= 0) {
            posix_kill(posix_getpid(), SIGKILL);
        }
    }
}
