<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/**
 * The forked process, from fork() to _exit(): "What a child does before any user code" of docs/zygote.md, in its
 * order, and the way out.
 *
 * Everything is static: it is the one run of this process.
 */
final class Child
{
    /** Exit code of a child that ran nothing of the user's. */
    public const NOTHING_RUN = 125;
    private const FAILED = 255;

    private static Config $config;
    /** The zygote reads the other end; closed before user code. */
    private static int $reports = -1;
    private static string $bootId = '';
    private static string $memoryLimit = '-1';
    /** @var list<int> */
    private static array $logCopies = [];

    private static int $pid = 0;
    private static string $identity = '';
    /** The code that no later exit() changes: an uncaught exception's. */
    private static ?int $finalCode = null;
    /** What run() returned, for builds whose exit status can't be read. */
    private static ?int $returnedCode = null;
    private static bool $errorWritten = false;
    private static int $endStage = 0;

    /**
     * In the zygote: what all children have in common.
     *
     * @param list<int> $logCopies
     */
    public static function inherit(Config $config, int $reports, string $memoryLimit, array $logCopies): void
    {
        self::$config = $config;
        self::$reports = $reports;
        self::$memoryLimit = $memoryLimit;
        self::$logCopies = $logCopies;
        self::$bootId = trim(Posix::readProc('/proc/sys/kernel/random/boot_id'));
    }

    public static function reportsDescriptor(): int
    {
        return self::$reports;
    }

    /**
     * All that needs no run; a parked child has it behind itself.
     *
     * @param array<int> $descriptors the zygote's
     */
    public static function prepare(array $descriptors): void
    {
        foreach ($descriptors as $fd) {
            Posix::$c->close($fd);
        }
        posix_setsid();
        pcntl_signal(SIGINT, SIG_DFL);
        pcntl_signal(SIGHUP, SIG_DFL);
        pcntl_sigprocmask(SIG_SETMASK, []); // fork and exec keep a mask: empty it before anybody's code
        if (!self::$config->leaveChildren) {
            Posix::$c->prctl(Posix::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        }
        Engine::disownShutdownFunctions();
        Engine::reseed();
        self::$pid = posix_getpid();
        self::$identity = self::$pid . ' ' . self::startTime() . ' ' . self::$bootId;
        register_shutdown_function(self::end(...));
        $GLOBALS['rocksy_exit'] = new ExitSentinel();
    }

    /** Waits for a run; ends with the zygote. */
    public static function park(int $socket, int $zygote): never
    {
        Posix::$c->prctl(Posix::PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (posix_getppid() !== $zygote) {
            Posix::$c->_exit(0); // it died before prctl(2) could tell
        }
        self::rehearse();
        $line = Posix::read($socket); // a message is whole, and ends nowhere else
        if ($line === null || $line === '') {
            Posix::$c->_exit(0);
        }
        // From here on the run is under way and outlives its zygote.
        Posix::$c->prctl(Posix::PR_SET_PDEATHSIG, 0, 0, 0, 0);
        Posix::$c->close($socket);
        self::run(Json::decode($line));
    }

    /** @param array<string, mixed> $request */
    public static function run(array $request): never
    {
        $runFile = self::$config->runs . "/{$request['file']}.run";
        if (isset($request['stdin']) && !Posix::setStandardInput($request['stdin'])) {
            self::giveUp('standard input: ' . Posix::error());
        }
        TestKill::at('child:before-claim');
        $problem = RunFile::claim($runFile, self::$identity);
        if ($problem !== null) {
            self::giveUp($problem);
        }
        TestKill::at('child:claimed-before-report');
        self::report('c');
        Posix::$c->close(self::$reports);

        $problem = self::openLog(self::$config->runs . '/' . ($request['log'] ?? "{$request['file']}.log"))
            ?? self::changeFolder($request['cwd'] ?? null);
        if ($problem !== null) {
            self::refuse($problem);
        }
        self::setEnvironment(($request['env'] ?? []) + []);
        self::setEnvironment([
            'ROCKSY_KEY' => $request['key'],
            'ROCKSY_POOL' => self::$config->pool,
            'ROCKSY_RUN_FILE' => $runFile,
        ]);
        self::title($request['class']);
        self::handOver();
        self::callUserCode($request['class'], $request['params'] ?? []);
    }

    /** Goes all the way, with files of its own, and leaves nothing. */
    public static function probe(): never
    {
        $file = self::$config->runs . '/.probe-' . self::$pid;
        $problem = RunFile::claim("$file.run", self::$identity) ?? self::openLog("$file.log");
        @unlink("$file.run");
        @unlink("$file.log");
        if ($problem !== null) {
            self::giveUp($problem);
        }
        self::title('probe');
        self::handOver();
        self::$returnedCode = 0;
        exit(0);
    }

    private static function callUserCode(string $class, mixed $params): never
    {
        $code = self::FAILED;
        try {
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

    private static function fail(string $error, ?string $log = null): int
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

    /** Before the claim: nothing of the user's has run, and nothing will. */
    private static function giveUp(string $why): never
    {
        self::report('x', $why);
        Posix::$c->_exit(self::NOTHING_RUN);
    }

    /** After the claim: the run has failed before its code began. */
    private static function refuse(string $why): never
    {
        self::fail($why);
        RunFile::append('exit ' . self::FAILED);
        Posix::$c->_exit(self::FAILED);
    }

    /** Far below PIPE_BUF, so reports of several children don't mix (pipe(7)). */
    private static function report(string $kind, string $text = ''): void
    {
        $line = "$kind " . self::$pid . ' ' . RunFile::oneLine($text, 1_000) . "\n";
        Posix::$c->write(self::$reports, $line, strlen($line));
    }

    private static function openLog(string $path): ?string
    {
        $flags = Posix::O_WRONLY | Posix::O_CREAT | Posix::O_APPEND | Posix::O_CLOEXEC;
        $fd = Posix::$c->open($path, $flags, 0600);
        if ($fd < 0) {
            return "cannot open the log $path: " . Posix::error();
        }
        Posix::$c->dup2($fd, 1);
        Posix::$c->dup2($fd, 2);
        foreach (self::$logCopies as $copy) {
            Posix::$c->dup2($fd, $copy);
        }
        Posix::$c->close($fd);
        return null;
    }

    private static function changeFolder(?string $folder): ?string
    {
        if ($folder === null || chdir($folder)) {
            return null;
        }
        return "cannot change to $folder: " . posix_strerror(posix_get_last_error() ?: Posix::errno());
    }

    /** @param array<string, string> $variables */
    private static function setEnvironment(array $variables): void
    {
        foreach ($variables as $name => $value) {
            putenv("$name=$value");
            $_ENV[$name] = $_SERVER[$name] = $value;
        }
    }

    private static function title(string $what): void
    {
        cli_set_process_title('rocksy ' . self::$config->pool . '/' . self::$config->generation . " $what");
    }

    /** Gives back what the zygote took for itself. */
    private static function handOver(): void
    {
        $_SERVER['REQUEST_TIME_FLOAT'] = microtime(true);
        $_SERVER['REQUEST_TIME'] = (int) $_SERVER['REQUEST_TIME_FLOAT'];
        if (self::$memoryLimit !== '-1') {
            ini_set('memory_limit', self::$memoryLimit);
        }
        memory_reset_peak_usage();
        restore_exception_handler();
        restore_error_handler();
        Engine::disownObjects();
    }

    /** Field 22 of /proc/PID/stat: behind the name, which may hold spaces and brackets (proc_pid_stat(5)). */
    private static function startTime(): string
    {
        $stat = Posix::readProc('/proc/self/stat');
        return explode(' ', substr($stat, strrpos($stat, ')') + 2), 21)[19];
    }

    /** Walks the whole way with a run that can't be claimed, so that a request finds the pages copied already. */
    private static function rehearse(): void
    {
        $request = Json::decode('{"op":"start","key":"-","file":"-","class":"Rocksy\\\\Zygote\\\\Rehearsal","params":{"a":[1]}}');
        RunFile::claim('/dev/null/-', self::$identity);
        RunFile::append('-');
        self::openLog('/dev/null/-');
        self::changeFolder(null);
        self::setEnvironment(['ROCKSY_KEY' => '', 'ROCKSY_POOL' => '', 'ROCKSY_RUN_FILE' => '']);
        Posix::$c->write(-1, '', 0);
        Posix::$c->dup2(-1, -1);
        $_SERVER['REQUEST_TIME_FLOAT'] = microtime(true);
        memory_reset_peak_usage();
        try {
            if (class_exists($request['class'])) {
                (new $request['class']())->run($request['params']);
            }
        } catch (\Throwable) {
        }
        self::title('parked');
    }
}

/** Lies in the global variables of a child, as the last of them: its destructor is the first that PHP calls. */
final class ExitSentinel
{
    public function __destruct()
    {
        Child::endAfterShutdownFunctions();
    }
}

final class Rehearsal
{
    public function run(mixed $params): never
    {
        ob_start();
        echo json_encode($params);
        ob_end_clean();
        throw new \RuntimeException('rehearsal');
    }
}
