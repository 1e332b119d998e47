<?php

declare(strict_types=1);

namespace Shop;

/** A job's parameters by name, whether they came as one object or as a list that holds one: `[{"seconds": 3}]`. */
final class Options
{
    /** @param array<string, mixed> $values */
    private function __construct(private readonly array $values)
    {
    }

    public static function of(mixed $params): self
    {
        $values = is_array($params) && array_is_list($params) ? $params[0] ?? [] : $params;

        return is_array($values) ? new self($values) : throw new \InvalidArgumentException('Parameters go in one object, for example {"seconds": 3}');
    }

    public function string(string $name, string $default): string
    {
        $value = $this->values[$name] ?? $default;

        return is_string($value) ? $value : throw new \InvalidArgumentException("$name must be a string");
    }

    public function int(string $name, int $default): int
    {
        $value = $this->values[$name] ?? $default;

        return is_int($value) ? $value : throw new \InvalidArgumentException("$name must be an integer");
    }

    /** @return array<string, mixed> */
    public function map(string $name): array
    {
        $value = $this->values[$name] ?? [];

        return is_array($value) ? $value : throw new \InvalidArgumentException("$name must be an object");
    }
}
