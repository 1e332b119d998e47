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

/** Writes to its log until its gate opens, and ends by an exit code or a signal; as the script in talkers.ts does. */
final class Talker
{
    private const PAUSE_US = 100_000;

    /** @param array{array{key: string, witness: string, gate: string, end: int|string}} $params */
    public function run(array $params): int
    {
        [['key' => $key, 'witness' => $witness, 'gate' => $path, 'end' => $end]] = $params;
        file_put_contents($witness, "begun $key\n", FILE_APPEND);
        $gate = fopen($path, 'r');
        for ($n = 0; ; $n++) {
            echo "line $n\n";
            if ($n === 1) {
                file_put_contents($witness, "talks $key\n", FILE_APPEND);
            }
            [$read, $write, $except] = [[$gate], null, null];
            if (stream_select($read, $write, $except, 0, self::PAUSE_US) > 0) {
                break;
            }
        }
        echo "that was line $n\n";
        file_put_contents($witness, "ended $key\n", FILE_APPEND);
        if (is_string($end)) {
            posix_kill(getmypid(), constant($end));
        }
        return $end;
    }
}
