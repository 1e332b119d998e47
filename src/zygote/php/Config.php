<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** What the daemon says in the environment variable ROCKSY_ZYGOTE; see docs/zygote.md. */
final class Config
{
    private function __construct(
        public readonly string $pool,
        public readonly int $generation,
        public readonly ?string $bootstrap,
        public readonly string $runs,
        public readonly int $prefork,
        public readonly int $claimTimeoutMs,
        public readonly bool $leaveChildren,
    ) {
    }

    /** Reads the variable and takes it away, so that no code of the user's and no child process sees it. */
    public static function take(): self
    {
        $json = self::takeVariable('ROCKSY_ZYGOTE');
        if ($json === null) {
            throw new \RuntimeException('ROCKSY_ZYGOTE is not set: a zygote is started by the daemon');
        }
        $given = json_decode($json, true);
        if (!is_array($given)) {
            throw new \RuntimeException('ROCKSY_ZYGOTE is not a JSON object');
        }
        if (($given['version'] ?? null) !== 1) {
            $version = json_encode($given['version'] ?? null);
            throw new \RuntimeException("this zygote speaks version 1 of the contract, not $version");
        }
        if (!is_string($given['runs'] ?? null) || !is_dir($given['runs'])) {
            throw new \RuntimeException('"runs" in ROCKSY_ZYGOTE is not a folder: ' . json_encode($given['runs'] ?? null));
        }
        return new self(
            (string) ($given['pool'] ?? ''),
            (int) ($given['generation'] ?? 0),
            $given['bootstrap'] ?? null,
            rtrim($given['runs'], '/'),
            max(0, (int) ($given['prefork'] ?? 0)),
            max(1, (int) ($given['claim_timeout_ms'] ?? 10_000)),
            (bool) ($given['leave_children'] ?? false),
        );
    }

    public static function takeVariable(string $name): ?string
    {
        $value = getenv($name);
        putenv($name);
        unset($_ENV[$name], $_SERVER[$name]);
        return $value === false ? null : $value;
    }
}
