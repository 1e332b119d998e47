<?php

declare(strict_types=1);

namespace Shop\Customer;

use Symfony\Component\Validator\Constraints as Assert;

/** One line of the customer file. */
final class Customer
{
    public function __construct(
        #[Assert\Positive]
        public readonly int $number,
        #[Assert\NotBlank(normalizer: 'trim')]
        public readonly string $name,
        #[Assert\Email]
        public readonly string $email,
        #[Assert\Regex('/^[A-Z]{2}$/D', message: 'This is no country code.')]
        public readonly string $country,
        #[Assert\Date]
        public readonly string $since,
        #[Assert\PositiveOrZero]
        public readonly int $revenueCents,
    ) {
    }
}
