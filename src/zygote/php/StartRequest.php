<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

final class StartRequest
{
    /**
     * What is wrong with the fields of a start; null when nothing is.
     *
     * @param array<string, mixed> $request
     */
    public static function problem(array $request): ?string
    {
        $key = $request['key'] ?? null;
        if (!is_string($key) || $key === '' || strlen($key) > 255) {
            return '"key" must be a string of 1 to 255 bytes';
        }
        $file = $request['file'] ?? null;
        if (!is_string($file) || preg_match('/^[A-Za-z0-9._~-]{1,250}$/D', $file) !== 1) {
            return '"file" must be 1 to 250 letters, digits, ".", "_", "-" or "~"';
        }
        $class = $request['class'] ?? null;
        if (!is_string($class) || $class === '') {
            return isset($request['argv']) ? 'a php pool runs a "class", not "argv"' : '"class" must be the name of a class';
        }
        $log = $request['log'] ?? "$file.log";
        if (!is_string($log) || $log === '' || strlen($log) > 255 || strpbrk($log, "/\0") !== false || $log === '.' || $log === '..') {
            return '"log" must be the name of a file, without a folder';
        }
        $cwd = $request['cwd'] ?? '/';
        if (!is_string($cwd) || !str_starts_with($cwd, '/') || str_contains($cwd, "\0")) {
            return '"cwd" must be an absolute path';
        }
        if (!is_string($request['stdin'] ?? '')) {
            return '"stdin" must be a string';
        }
        foreach (['timeout_ms', 'kill_after_ms'] as $name) {
            $ms = $request[$name] ?? 0;
            if (!(is_int($ms) || is_float($ms)) || $ms < 0) {
                return "\"$name\" must be a number of milliseconds";
            }
        }
        return self::environmentProblem($request['env'] ?? []);
    }

    private static function environmentProblem(mixed $environment): ?string
    {
        if (!is_array($environment)) {
            return '"env" must be an object of strings';
        }
        foreach ($environment as $name => $value) {
            if (!is_string($value) || str_contains($value, "\0")) {
                return "\"env\": the value of $name must be a string";
            }
            if ($name === '' || strpbrk((string) $name, "=\0") !== false) {
                return '"env": a name must not be empty, nor hold "="';
            }
        }
        return null;
    }
}
