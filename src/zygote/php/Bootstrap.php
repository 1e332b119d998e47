<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** Loads the bootstrap, and makes the process fit for forking afterwards. */
final class Bootstrap
{
    private static bool $loaded = false;
    private static bool $last = false;

    /** @return list<int> descriptors that lead to the boot log besides 1 and 2 */
    public static function load(?string $file): array
    {
        register_shutdown_function(self::exited(...));
        if ($file !== null) {
            try {
                $returned = (static fn (): mixed => require func_get_arg(0))($file);
                $beforeFork = self::hook($returned, 'beforeFork');
                UserCode::$afterFork = self::hook($returned, 'afterFork');
                unset($returned);
                if ($beforeFork !== null) {
                    $beforeFork();
                    unset($beforeFork); // and what it alone holds, such as a connection
                }
            } catch (\Throwable $error) {
                self::fail(Failure::trace($error));
            }
        }
        self::settle();
        self::$loaded = true;
        return self::bootLogCopies();
    }

    /** Whatever else a bootstrap returns is nobody's business. */
    private static function hook(mixed $returned, string $name): ?\Closure
    {
        if (!is_array($returned) || !isset($returned[$name])) {
            return null;
        }
        if (!is_callable($returned[$name])) {
            throw new \TypeError("'$name' of what the bootstrap returns: expected a function");
        }
        return \Closure::fromCallable($returned[$name]);
    }

    /** An exit() of the bootstrap, with whatever code, is a failure: nobody would answer on the socket. */
    private static function exited(): void
    {
        if (self::$loaded) {
            return;
        }
        if (!self::$last) {
            self::$last = true;
            register_shutdown_function(self::exited(...)); // after the bootstrap's own ones
            return;
        }
        if (Failure::fatalError() !== null) {
            exit(255); // PHP has printed it
        }
        self::fail('the bootstrap called exit');
    }

    private static function fail(string $message): never
    {
        self::$loaded = true;
        while (ob_get_level() > 0 && @ob_end_flush());
        Posix::writeAll(2, "$message\n");
        exit(1);
    }

    /** What the bootstrap may have left that must not act in the zygote, or again in each child. */
    private static function settle(): void
    {
        while (ob_get_level() > 0 && @ob_end_flush());
        pcntl_alarm(0);
        set_time_limit(0);
        // "Default signal handling": handlers of the bootstrap too. SIGPIPE stays ignored, as PHP's CLI has it
        // (main() in sapi/cli/php_cli.c), so that a broken connection is an error and not the end of the run. SIGINT and SIGHUP the zygote ignores.
        for ($signal = 1; $signal < 32; $signal++) {
            if (!in_array($signal, [SIGKILL, SIGSTOP, SIGPIPE, SIGINT, SIGHUP], true) && pcntl_signal_get_handler($signal) !== SIG_DFL) {
                pcntl_signal($signal, SIG_DFL);
            }
        }
        error_clear_last();
        gc_collect_cycles();
        gc_mem_caches();
        Posix::$c->malloc_trim(0);
    }

    /**
     * A logger that the bootstrap opened on php://stderr holds a copy of descriptor 2. In a run it means the log.
     *
     * @return list<int>
     */
    private static function bootLogCopies(): array
    {
        $logs = array_diff([@readlink('/proc/self/fd/1'), @readlink('/proc/self/fd/2')], ['/dev/null', false]);
        return array_values(array_filter(
            Posix::openDescriptors(),
            static fn (int $fd): bool => $fd > 3 && in_array(@readlink("/proc/self/fd/$fd"), $logs, true),
        ));
    }
}
