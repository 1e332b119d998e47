<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

final class Json
{
    /** What the zygote says. Whatever is not UTF-8 in it is replaced: an event is never lost for that. */
    public static function encode(mixed $value): string
    {
        return json_encode($value, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR);
    }

    /**
     * An event that answers a request, with its id if it had one.
     *
     * @param array<string, mixed> $fields
     */
    public static function answer(string $event, mixed $id, array $fields): string
    {
        return self::encode(['event' => $event] + ($id === null ? [] : ['id' => $id]) + $fields);
    }

    /** Integers beyond 64 bits become floats, as everywhere in PHP; objects become arrays. */
    public static function decode(string $line): mixed
    {
        return json_decode($line, true, 512);
    }
}
