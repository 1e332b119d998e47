<?php

declare(strict_types=1);

namespace Bench;

/** Stamps when its first line ran. CLOCK_MONOTONIC in nanoseconds, the clock of Node's process.hrtime too. */
final class FirstLine
{
    /** @param array{0: array{stamps: string}} $params the file to write to */
    public function run(array $params): void
    {
        $now = hrtime(true);
        file_put_contents($params[0]['stamps'], "$now\n", FILE_APPEND);
    }
}
