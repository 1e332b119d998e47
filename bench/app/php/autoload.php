<?php

declare(strict_types=1);

// Where the measured classes are. Loaded on demand, as a job of an application would be, and asked first of all loaders.

spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'Bench\\')) {
        require __DIR__ . '/' . substr($class, 6) . '.php';
    }
});
