<?php

declare(strict_types=1);

namespace Bench;

/** The empty class: what is left is the price of starting and ending a run. */
final class Nothing
{
    public function run(array $params): void
    {
    }
}
