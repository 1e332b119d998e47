<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** A run as its zygote knows it, until it is acknowledged. */
final class Run
{
    public const DEFAULT_KILL_AFTER_MS = 5_000;

    public readonly string $keyJson;
    public RunState $state = RunState::Given;
    /** The latest of forked, claimed, ended: what a new session is told. */
    public string $event = '';
    public int $pid = 0;
    public bool $claimed = false;
    public ?string $reason = null;
    /** Why nothing of the user's has run. */
    public ?string $message = null;
    public int $replacements = 0;
    /** Killed because it has not claimed in time. */
    public bool $replace = false;

    /** In ms of the monotonic clock; PHP_INT_MAX is never. */
    public int $claimBy = PHP_INT_MAX;
    public int $timeoutAt = PHP_INT_MAX;
    public int $killAt = PHP_INT_MAX;
    public readonly ?int $timeoutMs;
    public readonly int $killAfterMs;

    /** How the main process ended. */
    public ?int $code = null;
    public ?int $signal = null;
    /** @var array<string, int> as pcntl_wait() gives it */
    public array $usage = [];
    public int $endedAt = 0;

    /**
     * @param ?array<string, mixed> $request the line, decoded; both are forgotten once the run has claimed
     */
    public function __construct(public readonly string $key, public ?array $request, public ?string $line)
    {
        $this->keyJson = Json::encode($key);
        $this->timeoutMs = isset($request['timeout_ms']) && $request['timeout_ms'] > 0 ? (int) $request['timeout_ms'] : null;
        $this->killAfterMs = (int) ($request['kill_after_ms'] ?? self::DEFAULT_KILL_AFTER_MS);
    }

    /** Its main process is there and not reaped. */
    public function isAlive(): bool
    {
        return $this->state === RunState::Given || $this->state === RunState::Running;
    }

    public function deadline(): int
    {
        return min($this->claimBy, $this->timeoutAt, $this->killAt);
    }

    public function forked(int $pid): void
    {
        $this->pid = $pid;
        $this->event = "{\"event\":\"forked\",\"key\":$this->keyJson,\"pid\":$pid}";
    }

    public function claimed(): void
    {
        $this->claimed = true;
        $this->state = RunState::Running;
        $this->request = $this->line = null;
        $this->claimBy = PHP_INT_MAX;
        $this->event = "{\"event\":\"claimed\",\"key\":$this->keyJson,\"pid\":$this->pid}";
    }

    public function ended(): void
    {
        $this->state = RunState::Ended;
        $this->request = $this->line = null;
        $usage = $this->usage;
        $this->event = Json::encode([
            'event' => 'ended',
            'key' => $this->key,
            'pid' => $this->pid,
            'code' => $this->code,
            'signal' => $this->signal,
            'reason' => $this->reason,
            'claimed' => $this->claimed,
            'cpu_user_ms' => self::milliseconds($usage, 'ru_utime'),
            'cpu_system_ms' => self::milliseconds($usage, 'ru_stime'),
            'max_rss_bytes' => ($usage['ru_maxrss'] ?? 0) * 1_024,
        ] + ($this->message === null ? [] : ['message' => $this->message]));
    }

    /** @param array<string, int> $usage */
    private static function milliseconds(array $usage, string $name): float
    {
        return round(($usage["$name.tv_sec"] ?? 0) * 1e3 + ($usage["$name.tv_usec"] ?? 0) / 1e3, 3);
    }
}

enum RunState
{
    /** A child has been given the run and has not claimed it. */
    case Given;
    case Running;
    /** The main process is gone; what it left behind is being killed. */
    case Ending;
    case Ended;
}
