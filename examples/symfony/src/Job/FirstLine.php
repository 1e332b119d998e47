<?php

declare(strict_types=1);

namespace Shop\Job;

use Shop\App;

/** Stamps the time of its first line, then uses the framework: what demo.ts measures cold and warm starts with. */
final class FirstLine
{
    public function run(mixed $params): array
    {
        $firstLine = microtime(true);

        return ['first_line_ms' => $firstLine * 1000, 'status' => App::page('/health')->getStatusCode()];
    }
}
