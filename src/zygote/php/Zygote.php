<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** The serving zygote: one loop over its sessions, its children's reports and their deaths. */
final class Zygote
{
    private const LISTENER = 3;
    private const MOST_REPLACEMENTS = 3;
    /** So many starts in a turn, then claims, deaths and deadlines have their turn. */
    private const STARTS_PER_TURN = 8;

    private readonly int $signals;
    private readonly int $reports;
    private readonly int $pid;
    private readonly Strays $strays;
    private readonly Poller $poller;
    private readonly Sessions $sessions;
    private readonly Parking $parking;

    /** @var array<string, Run> by key; a numeric key is an int here, as PHP has it */
    private array $runs = [];
    /** @var array<int, Run|Parked|Probe> every process that this one has forked and not reaped */
    private array $children = [];
    /** @var array<int, int> by pid: when something is to be done about it, in ms */
    private array $deadlines = [];
    /** @var list<Run> whose main process is reaped */
    private array $ending = [];

    private int $forks = 0;
    private int $running = 0;
    private int $startsThisTurn = 0;
    private bool $draining = false;

    /** Holds on to everything here, so that a child that unwinds its frames has no page of it to copy for freeing it. */
    private static self $instance;

    /** @param list<int> $inherited descriptors that were open before anything of the user's was loaded */
    public function __construct(private readonly Config $config, private readonly array $inherited, array $logCopies)
    {
        self::$instance = $this;
        $memoryLimit = (string) ini_get('memory_limit');
        ini_set('memory_limit', '-1');
        // Handlers of the bootstrap are for runs: children take these two away again.
        set_error_handler(static fn (): bool => true);
        set_exception_handler(self::crash(...));
        pcntl_signal(SIGINT, SIG_IGN);
        pcntl_signal(SIGHUP, SIG_IGN);
        pcntl_signal(SIGPIPE, SIG_IGN);
        // Blocked for poll(2) to see them; each child unblocks them.
        pcntl_sigprocmask(SIG_BLOCK, [SIGCHLD, SIGTERM]);
        $this->signals = Posix::signalfd([SIGCHLD, SIGTERM]);
        // One pipe for the reports of all children. (A datagram socket would hold ten of them, unix(7).)
        [$this->reports, $writer] = Posix::pipe();
        Posix::setNonBlocking($this->reports);
        Posix::setNonBlocking(self::LISTENER);
        $this->pid = posix_getpid();
        $this->strays = Strays::open();
        $this->poller = new Poller([$this->signals, $this->reports, self::LISTENER]);
        $this->sessions = new Sessions(self::LISTENER, $this);
        $this->parking = new Parking($config->prefork);
        Child::inherit($config, $writer, $memoryLimit, $logCopies);
        Heap::fillHoles();
    }

    public function serve(): never
    {
        cli_set_process_title("rocksy {$this->config->pool}/{$this->config->generation} zygote");
        while (!$this->draining || $this->runs !== [] || $this->children !== []) {
            $this->turn();
        }
        $this->sessions->flush();
        exit(0); // PHP's own way: shutdown functions and destructors of the bootstrap have their one turn here
    }

    private function turn(): void
    {
        $this->startsThisTurn = 0;
        [[$signals, $reports, $listener], $connections] = $this->poller->wait($this->sessions->connections(), $this->patience());
        if ($reports !== 0) {
            $this->readReports();
        }
        if ($signals !== 0) {
            $this->readSignals();
        }
        if ($listener !== 0) {
            $this->sessions->accept();
        }
        $this->sessions->receive($connections);
        $this->act();
        $this->refill();
        $this->sessions->flush();
    }

    /** How long poll(2) may sleep, in ms; -1 is for ever. */
    private function patience(): int
    {
        if ($this->sessions->haveLines()) {
            return 0;
        }
        $now = self::now();
        $next = min(PHP_INT_MAX, $this->parking->refillAt(), ...$this->deadlines);
        foreach ($this->ending as $run) {
            $next = min($next, $run->endedAt + Strays::PATIENCE_MS);
        }
        return $next === PHP_INT_MAX ? -1 : max(0, min($next - $now, 86_400_000));
    }

    // ---- what sessions ask -------------------------------------------------------------------------------------

    /** Whether another request is to be handled in this turn. */
    public function takesMore(): bool
    {
        return $this->startsThisTurn < self::STARTS_PER_TURN;
    }

    /** To a new session: every run that is known, then who we are. */
    public function introduce(mixed $id, int $session): void
    {
        foreach ($this->runs as $run) {
            $this->sessions->tell($run->event);
        }
        $this->sessions->tell(Json::answer('hello', $id, [
            'version' => 1,
            'session' => $session,
            'pid' => $this->pid,
            'generation' => $this->config->generation,
            'descriptors' => $this->descriptors(),
            'parked' => $this->parking->count(),
            'draining' => $this->draining,
        ]));
    }

    /** @param array<string, mixed> $request */
    public function request(array $request, string $line): void
    {
        $id = $request['id'] ?? null;
        switch ($request['op']) {
            case 'start':
                $this->start($request, $line);
                break;
            case 'ack':
                $this->acknowledge($request['key'] ?? null);
                break;
            case 'signal':
                $ok = $this->signal($this->runOf($request), $request['signal'] ?? null);
                $this->sessions->tell(Json::answer('signalled', $id, ['key' => $request['key'] ?? null, 'ok' => $ok]));
                break;
            case 'cancel':
                $ok = $this->cancel($this->runOf($request), $request);
                $this->sessions->tell(Json::answer('signalled', $id, ['key' => $request['key'] ?? null, 'ok' => $ok]));
                break;
            case 'probe':
                $this->probe($id);
                break;
            case 'stats':
                $this->sessions->tell(Json::answer('stats', $id, [
                    'running' => $this->running,
                    'parked' => $this->parking->count(),
                    'forks' => $this->forks,
                    'extra' => self::extra(),
                ]));
                break;
            case 'drain':
                $this->drain();
                break;
            default:
                $this->sessions->tell(Json::answer('error', $id, ['message' => "unknown op \"{$request['op']}\""]));
        }
    }

    /** @return list<int> */
    private function descriptors(): array
    {
        return array_values(array_unique([...$this->inherited, ...$this->ownDescriptors(), Child::reportsDescriptor()]));
    }

    /** @return list<int> what no child may keep */
    private function ownDescriptors(): array
    {
        return [self::LISTENER, $this->signals, $this->reports, $this->strays->descriptor(),
            ...array_keys($this->sessions->connections()), ...$this->parking->descriptors()];
    }

    // ---- runs --------------------------------------------------------------------------------------------------

    /** @param array<string, mixed> $request */
    private function start(array $request, string $line): void
    {
        $key = $request['key'] ?? null;
        $problem = StartRequest::problem($request);
        if ($problem !== null) {
            $this->refuse($key, 'invalid', $problem);
        } elseif ($this->draining) {
            $this->refuse($key, 'draining', 'this generation takes no more runs');
        } elseif (isset($this->runs[$key])) {
            $this->refuse($key, 'known', 'this zygote has the key already');
        } else {
            $this->startsThisTurn++;
            $run = $this->runs[$key] = new Run($key, $request, $line);
            if ($this->give($run)) {
                $this->running++;
            } else {
                unset($this->runs[$key]);
                $this->refuse($key, 'fork_failed', 'fork: ' . posix_strerror(pcntl_get_last_error()));
            }
        }
    }

    private function refuse(mixed $key, string $code, string $message): void
    {
        $this->sessions->tell(Json::encode(['event' => 'refused', 'key' => $key, 'code' => $code, 'message' => $message]));
    }

    /** Gives the run to the oldest parked child, else to a new one. */
    private function give(Run $run): bool
    {
        $pid = $this->parking->give($run) ?? $this->fork($run);
        if ($pid < 0) {
            return false;
        }
        TestKill::at('zygote:forked');
        $run->state = RunState::Given;
        $run->replace = false;
        $run->claimBy = self::now() + $this->config->claimTimeoutMs;
        $this->children[$pid] = $run;
        $run->forked($pid);
        $this->deadlines[$pid] = $run->deadline();
        $this->sessions->tell($run->event);
        return true;
    }

    private function acknowledge(mixed $key): void
    {
        if (is_string($key) && ($this->runs[$key]->state ?? null) === RunState::Ended) {
            unset($this->runs[$key]);
        }
    }

    /** @param array<string, mixed> $request */
    private function runOf(array $request): ?Run
    {
        return is_string($request['key'] ?? null) ? $this->runs[$request['key']] ?? null : null;
    }

    /** Only while the process is not reaped: afterwards its pid may be somebody else's. */
    private function signal(?Run $run, mixed $signal): bool
    {
        return $run !== null && $run->isAlive() && is_int($signal) && posix_kill($run->pid, $signal);
    }

    /** @param array<string, mixed> $request */
    private function cancel(?Run $run, array $request): bool
    {
        if (!$this->signal($run, SIGTERM)) {
            return false;
        }
        $run->reason ??= (string) ($request['reason'] ?? 'cancel');
        $run->killAt = min($run->killAt, self::now() + (int) ($request['kill_after_ms'] ?? Run::DEFAULT_KILL_AFTER_MS));
        $this->deadlines[$run->pid] = $run->deadline();
        return true;
    }

    private function probe(mixed $id): void
    {
        $probe = new Probe($id);
        $pid = $this->fork($probe);
        if ($pid < 0) {
            $this->sessions->tell($probe->answer(false, 'fork: ' . posix_strerror(pcntl_get_last_error())));
            return;
        }
        $this->children[$pid] = $probe;
        $this->deadlines[$pid] = self::now() + $this->config->claimTimeoutMs;
    }

    private function drain(): void
    {
        $this->draining = true;
        $this->parking->close();
    }

    // ---- processes ---------------------------------------------------------------------------------------------

    /** One child a turn: requests that have come in the meantime go first. */
    private function refill(): void
    {
        if ($this->parking->refillAt() > self::now()) {
            return;
        }
        [$ours, $theirs] = Posix::messagePair();
        $child = new Parked($ours, $theirs);
        $pid = $this->fork($child);
        Posix::$c->close($theirs);
        if ($pid < 0) {
            Posix::$c->close($ours);
            $this->parking->pause(self::now());
            return;
        }
        $this->children[$pid] = $child;
        $this->parking->add($pid, $child);
    }

    /** The pid; -1 when there is no child. Does not return in the child. */
    private function fork(Run|Parked|Probe $for): int
    {
        $pid = pcntl_fork();
        if ($pid !== 0) {
            $this->forks += $pid > 0 ? 1 : 0;
            return $pid;
        }
        Child::prepare($this->ownDescriptors());
        if ($for instanceof Run) {
            Child::run($for->request);
        }
        if ($for instanceof Probe) {
            Child::probe();
        }
        Posix::$c->close($for->socket);
        Child::park($for->childSocket, $this->pid);
    }

    private function readReports(): void
    {
        while (($text = Posix::read($this->reports)) !== null && $text !== '') {
            // Whole lines: each is one write, and what is read at once ends at the end of one.
            foreach (explode("\n", rtrim($text, "\n")) as $line) {
                [$kind, $pid, $message] = explode(' ', $line, 3);
                $child = $this->children[(int) $pid] ?? null;
                if ($kind === 'c' && $child instanceof Run) {
                    $this->claimed($child);
                } elseif ($kind === 'x' && $child !== null && !$child instanceof Parked) {
                    $child->message = $message;
                }
            }
            if (strlen($text) < Posix::BUFFER_BYTES) {
                return;
            }
        }
    }

    private function claimed(Run $run): void
    {
        $run->claimed();
        $run->timeoutAt = $run->timeoutMs === null ? PHP_INT_MAX : self::now() + $run->timeoutMs;
        $deadline = $run->deadline();
        if ($deadline === PHP_INT_MAX) {
            unset($this->deadlines[$run->pid]);
        } else {
            $this->deadlines[$run->pid] = $deadline;
        }
        $this->sessions->tell($run->event);
    }

    private function readSignals(): void
    {
        while (($bytes = Posix::read($this->signals)) !== null && $bytes !== '') {
            foreach (str_split($bytes, 128) as $info) { // struct signalfd_siginfo, ssi_signo first
                if (unpack('L', $info)[1] === SIGTERM) {
                    $this->drain();
                }
            }
        }
        while (($pid = pcntl_wait($status, WNOHANG, $usage)) > 0) {
            $this->readReports(); // a child's report is always there before its death can be seen
            $this->reaped($pid, $status, $usage);
        }
    }

    /** @param array<string, int> $usage */
    private function reaped(int $pid, int $status, array $usage): void
    {
        $child = $this->children[$pid] ?? null;
        unset($this->children[$pid], $this->deadlines[$pid]);
        if ($child instanceof Run) {
            $this->mainProcessEnded($child, $status, $usage);
        } elseif ($child instanceof Probe) {
            $ok = pcntl_wifexited($status) && pcntl_wexitstatus($status) === 0;
            if ($ok && !$this->draining) {
                $this->parking->open();
            }
            $this->sessions->tell($child->answer($ok, $child->message ?? 'the probe ' . self::howItEnded($status)));
        } elseif ($child instanceof Parked) {
            $this->parking->reaped($pid, $child, self::now());
        } else {
            $this->strays->reaped($pid);
        }
    }

    /** @param array<string, int> $usage */
    private function mainProcessEnded(Run $run, int $status, array $usage): void
    {
        if ($run->replace && !$run->claimed && $run->reason === null && $run->replacements < self::MOST_REPLACEMENTS) {
            $run->replacements++;
            if ($this->give($run)) {
                return;
            }
        }
        $run->code = pcntl_wifexited($status) ? pcntl_wexitstatus($status) : null;
        $run->signal = pcntl_wifsignaled($status) ? pcntl_wtermsig($status) : null;
        $run->usage = $usage;
        if ($run->replace) {
            $run->message = $run->claimed
                ? 'killed at the end of the claim timeout, at the moment of its claim'
                : "none of " . ($run->replacements + 1) . " children has claimed the key within {$this->config->claimTimeoutMs} ms";
        } elseif (!$run->claimed) {
            $run->message ??= 'the child ' . self::howItEnded($status) . ' before it claimed the key';
        }
        $run->state = RunState::Ending;
        $run->endedAt = self::now();
        $this->ending[] = $run;
    }

    private static function howItEnded(int $status): string
    {
        return pcntl_wifsignaled($status)
            ? 'was killed by signal ' . pcntl_wtermsig($status)
            : 'exited with code ' . pcntl_wexitstatus($status);
    }

    /** What is due: strays of ended runs, deadlines. */
    private function act(): void
    {
        if ($this->deadlines !== []) {
            $now = self::now();
            foreach ($this->deadlines as $pid => $deadline) {
                if ($deadline <= $now) {
                    $this->expired($pid, $now);
                }
            }
        }
        if ($this->ending !== [] || $this->strays->any()) {
            $this->endRuns();
        }
    }

    private function endRuns(): void
    {
        $now = self::now();
        $waiting = !$this->config->leaveChildren && $this->strays->kill($this->children, $now);
        $still = [];
        foreach ($this->ending as $run) {
            if ($waiting && $now - $run->endedAt < Strays::PATIENCE_MS) {
                $still[] = $run;
                continue;
            }
            $run->ended();
            $this->running--;
            TestKill::at('zygote:ended-before-tell');
            $this->sessions->tell($run->event);
        }
        $this->ending = $still;
    }

    private function expired(int $pid, int $now): void
    {
        $child = $this->children[$pid];
        if ($child instanceof Probe) {
            $child->message = "the probe took longer than {$this->config->claimTimeoutMs} ms";
            posix_kill($pid, SIGKILL);
            unset($this->deadlines[$pid]);
            return;
        }
        $this->readReports(); // its claim may have come this moment
        if (!$child->claimed && $child->claimBy <= $now) {
            $child->claimBy = PHP_INT_MAX;
            $child->replace = true;
            posix_kill($pid, SIGKILL);
        }
        if ($child->timeoutAt <= $now) {
            $child->timeoutAt = PHP_INT_MAX;
            $child->reason ??= 'timeout';
            $child->killAt = min($child->killAt, $now + $child->killAfterMs);
            posix_kill($pid, SIGTERM);
        }
        if ($child->killAt <= $now) {
            $child->killAt = PHP_INT_MAX;
            posix_kill($pid, SIGKILL);
        }
        $deadline = $child->deadline();
        if ($deadline === PHP_INT_MAX) {
            unset($this->deadlines[$pid]);
        } else {
            $this->deadlines[$pid] = $deadline;
        }
    }

    /** @return array<string, mixed> */
    private static function extra(): array
    {
        $opcache = function_exists('opcache_get_status') ? @opcache_get_status(false) : false;
        return ['memory_bytes' => memory_get_usage(), 'opcache' => $opcache === false ? null : [
            'memory_usage' => $opcache['memory_usage'],
            'interned_strings_usage' => $opcache['interned_strings_usage'] ?? null,
            'statistics' => $opcache['opcache_statistics'],
        ]];
    }

    private static function now(): int
    {
        return intdiv(hrtime(true), 1_000_000);
    }

    private static function crash(\Throwable $error): never
    {
        Posix::writeAll(2, Failure::trace($error) . "\n");
        Posix::$c->_exit(70);
    }
}
