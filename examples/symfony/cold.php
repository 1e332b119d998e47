<?php

declare(strict_types=1);

// php cold.php CLASS [PARAMS as JSON]: one run as cron would start it, interpreter and framework included.
// demo.ts measures this against the same class in a warm pool. Prints what run() returned.

require __DIR__ . '/bootstrap.php';

[, $class] = $argv;
$result = (new $class())->run(json_decode($argv[2] ?? '[]', true, 512, JSON_THROW_ON_ERROR));
echo json_encode($result, JSON_THROW_ON_ERROR), "\n";
