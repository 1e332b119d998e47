<?php

declare(strict_types=1);

/* The bootstrap of the tests' pools, and their jobs. */

/** Leaves one line in a file of its own for each time that it is executed. */
final class Marked
{
    /** @param array{file: string, gate: string, code: int} $params */
    public function run(array $params): int
    {
        file_put_contents($params['file'], "ran\n", FILE_APPEND);
        echo "begun\n";
        if ($params['gate'] !== '') {
            file_get_contents($params['gate']);
        }
        echo "ended\n";
        return $params['code'];
    }
}

/** Whatever the test wants to be executed; it stands in the test. */
final class Script
{
    /** @param array{php: string, gate?: string} $params */
    public function run(array $params): mixed
    {
        return eval($params['php']);
    }
}
