<?php

declare(strict_types=1);

namespace Bench;

/** Says who it is and stays for a while, to be looked at. */
final class Hold
{
    /** @param array{0: array{stamps: string}} $params the file to write to */
    public function run(array $params): void
    {
        file_put_contents($params[0]['stamps'], getmypid() . "\n");
        usleep(500_000);
    }
}
