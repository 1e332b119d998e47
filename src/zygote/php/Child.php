<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/**
 * The forked process, from fork() to the user's code: "What a child does before any user code" of docs/zygote.md, in its
 * order. From there on see UserCode.
 *
 * Everything is static: it is the one run of this process.
 */
final class Child
{
    /** Exit code of a child that ran nothing of the user's. */
    public const NOTHING_RUN = 125;

    private static Config $config;
    /** The zygote reads the other end; closed before user code. */
    private static int $reports = -1;
    private static string $bootId = '';
    private static string $memoryLimit = '-1';
    /** @var list<int> */
    private static array $logCopies = [];

    private static int $pid = 0;
    private static string $identity = '';

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
        UserCode::guard(self::$pid);
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
        UserCode::run($request['class'], $request['params'] ?? []);
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
        UserCode::leaveWith(0);
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
        UserCode::fail($why);
        RunFile::append('exit ' . UserCode::FAILED);
        Posix::$c->_exit(UserCode::FAILED);
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
        $start = strrpos($stat, ')') + 2;
        for ($field = 3; $field < 22; $field++) {
            $start = strpos($stat, ' ', $start) + 1;
        }
        return substr($stat, $start, strpos($stat, ' ', $start) - $start);
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
