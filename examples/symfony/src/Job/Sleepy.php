<?php

declare(strict_types=1);

namespace Shop\Job;

use Shop\App;
use Shop\Options;

/** Takes its time and says so, a line a second. Parameter: `seconds` (default 3). */
final class Sleepy
{
    public function run(mixed $params): array
    {
        $seconds = Options::of($params)->int('seconds', 3);
        for ($second = 1; $second <= $seconds; $second++) {
            sleep(1);
            echo "$second of $seconds s\n";
            App::progress(intdiv(100 * $second, $seconds), "$second of $seconds s");
        }

        return ['slept' => $seconds];
    }
}
