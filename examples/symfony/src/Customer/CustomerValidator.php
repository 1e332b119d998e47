<?php

declare(strict_types=1);

namespace Shop\Customer;

use Symfony\Component\Validator\Validator\ValidatorInterface;

final class CustomerValidator
{
    public function __construct(private readonly ValidatorInterface $validator)
    {
    }

    /** What is wrong with a customer, or null. */
    public function problem(Customer $customer): ?string
    {
        foreach ($this->validator->validate($customer) as $violation) {
            return sprintf("%s '%s': %s", $violation->getPropertyPath(), $violation->getInvalidValue(), $violation->getMessage());
        }

        return null;
    }
}
