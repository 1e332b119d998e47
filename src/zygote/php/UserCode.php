<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/**
 * The user's code in a forked process, and every way out of it: what run() returned or threw, exit(), fatal errors,
 * shutdown functions, destructors, up to _exit().
 *
 * Everything is static: it is the one run of this process.
 */
final class UserCode
{
    public const FAILED = 255;

    /** Of the bootstrap, called before the job. */
    public static ?\Closure $afterFork = null;

    private static int $pid = 0;
    /** The code that no later exit() changes: an uncaught exception's. */
    private static ?int $finalCode = null;
    /** What run() returned, for builds whose exit status can't be read. */
    private static ?int $returnedCode = null;
    private static bool $errorWritten = false;
    private static int $endStage = 0;

    /** From now on this process ends by what is below, however it ends. */
    public static function guard(int $pid): void
    {
        self::$pid = $pid;
        register_shutdown_function(self::end(...));
        $GLOBALS['rocksy_exit'] = new ExitSentinel();
    }

    public static function run(string $class, mixed $params): never
    {
        $code = self::FAILED;
        try {
            if (self::$afterFork !== null) {
                (self::$afterFork)();
            }
            if (class_exists($class)) {
                $result = (new $class())->run($params);
                $code = self::codeOf($result);
                unset($result);
            } else {
                self::fail("Class \"$class\" not found", "Class \"$class\" not found");
            }
        } catch (\Throwable $error) {
            self::uncaught($error);
            unset($error);
        }
        self::leaveWith($code);
    }

    /** The exit code is known, unless a shutdown function or a destructor is about to change it. */
    public static function leaveWith(int $code): never
    {
        self::$returnedCode = $code;
        if (Engine::shutdownFunctions() === 1 && Engine::setExitStatus($code)) {
            // Ours alone. exit() would unwind the zygote's frames and with them copy pages that nobody needs.
            self::endAfterShutdownFunctions();
        }
        exit($code);
    }

    /** The exit code; a value that is none becomes the run's result. */
    private static function codeOf(mixed $result): int
    {
        if ($result === null) {
            return 0;
        }
        if (is_int($result)) {
            return $result >= 0 && $result <= 255 ? $result : 255;
        }
        try {
            $json = json_encode($result, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION);
        } catch (\JsonException $error) {
            return self::fail("the result can't be written as JSON: {$error->getMessage()}");
        }
        if (strlen($json) > RunFile::MOST_RESULT_BYTES) {
            return self::fail('the result is ' . strlen($json) . ' bytes of JSON, of which 65536 are allowed');
        }
        self::write("result $json");
        return 0;
    }

    private static function uncaught(\Throwable $error): void
    {
        self::fail(Failure::line($error), Failure::trace($error));
        $handler = set_exception_handler(null);
        if ($handler !== null) {
            try {
                $handler($error); // of the bootstrap or the run: it may report somewhere
            } catch (\Throwable $another) {
                Posix::writeAll(2, Failure::trace($another) . "\n");
            }
        }
    }

    /** The run has failed: a line for whoever asks, the whole story for the log. */
    public static function fail(string $error, ?string $log = null): int
    {
        Posix::writeAll(2, ($log ?? $error) . "\n");
        self::writeError($error);
        return self::$finalCode = self::FAILED;
    }

    private static function writeError(string $error): void
    {
        if (!self::$errorWritten) {
            self::$errorWritten = true;
            self::write('error ' . RunFile::oneLine($error, RunFile::MOST_ERROR_BYTES));
        }
    }

    /** Lines about the run come from its main process only, not from what it forked. */
    private static function write(string $line): void
    {
        if (posix_getpid() === self::$pid) {
            RunFile::append($line);
        }
    }

    /**
     * The last shutdown function. PHP's own exit takes several times as long as all the rest of a run, and would
     * run the destructors of the bootstrap's objects in each child: _exit(2) is the end.
     */
    public static function end(): void
    {
        if (self::$endStage === 0) {
            self::$endStage = 1;
            register_shutdown_function(self::end(...)); // behind those of the run
            return;
        }
        if (self::$endStage === 1) {
            self::$endStage = 2;
            register_shutdown_function(self::end(...)); // when a destructor calls exit()
            self::settle();
        }
        self::leave();
    }

    /** After exit() in a shutdown function PHP calls no other one; this comes next (php_request_shutdown in main.c). */
    public static function endAfterShutdownFunctions(): void
    {
        if (self::$endStage < 2) {
            self::$endStage = 2;
            self::settle();
        }
        self::leave();
    }

    /** Destructors of what the run has created and never let go, then what is left in output buffers. */
    private static function settle(): void
    {
        if (Failure::fatalError() !== null) {
            ini_set('memory_limit', '-1'); // perhaps there is no memory left; and PHP calls no destructors now
        }
        try {
            if (Failure::fatalError() === null) {
                Engine::destructOwn();
            }
            while (ob_get_level() > 0 && @ob_end_flush());
        } catch (\Throwable $error) {
            self::uncaught($error);
        }
    }

    private static function leave(): void
    {
        $fatal = Failure::fatalError();
        $code = self::$finalCode ?? Engine::exitStatus() ?? ($fatal === null ? self::$returnedCode : null);
        if ($fatal !== null) {
            self::writeError($fatal);
        }
        if ($code === null) {
            return; // PHP knows it and does not tell: let it exit
        }
        self::write("exit $code");
        Posix::$c->_exit($code);
    }
}

/** Lies in the global variables of a child, as the last of them: its destructor is the first that PHP calls. */
final class ExitSentinel
{
    public function __destruct()
    {
        UserCode::endAfterShutdownFunctions();
    }
}
