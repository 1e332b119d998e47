<?php

declare(strict_types=1);

namespace Shop\Customer;

final class CustomerValidator
{
    /** What is wrong with a customer, or null. */
    public function problem(Customer $customer): ?string
    {
        return match (true) {
            $customer->number <= 0 => 'number is not positive',
            trim($customer->name) === '' => 'name is empty',
            filter_var($customer->email, FILTER_VALIDATE_EMAIL) === false => "'{$customer->email}' is no e-mail address",
            preg_match('/^[A-Z]{2}$/', $customer->country) !== 1 => "'{$customer->country}' is no country code",
            !self::isDate($customer->since) => "'{$customer->since}' is no date",
            $customer->revenueCents < 0 => 'revenue is negative',
            default => null,
        };
    }

    private static function isDate(string $text): bool
    {
        $date = \DateTimeImmutable::createFromFormat('!Y-m-d', $text);

        return $date !== false && $date->format('Y-m-d') === $text;
    }
}
