<?php

declare(strict_types=1);

namespace Shop\Customer;

/** One line of the customer file. */
final class Customer
{
    public function __construct(
        public readonly int $number,
        public readonly string $name,
        public readonly string $email,
        public readonly string $country,
        public readonly string $since,
        public readonly int $revenueCents,
    ) {
    }
}
