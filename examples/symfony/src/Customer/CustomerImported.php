<?php

declare(strict_types=1);

namespace Shop\Customer;

/** Dispatched for each row that was written. */
final class CustomerImported
{
    public function __construct(public readonly Customer $customer)
    {
    }
}
