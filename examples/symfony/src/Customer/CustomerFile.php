<?php

declare(strict_types=1);

namespace Shop\Customer;

use Symfony\Component\Serializer\SerializerInterface;

/** Reads a customer file: CSV whose first line names the fields. */
final class CustomerFile
{
    public function __construct(private readonly SerializerInterface $serializer, private readonly string $defaultPath)
    {
    }

    /** @return list<Customer> */
    public function read(?string $path = null): array
    {
        $path ??= $this->defaultPath;
        $csv = @file_get_contents($path);
        if ($csv === false) {
            throw new \RuntimeException("Can't read $path");
        }

        return $this->serializer->deserialize($csv, Customer::class . '[]', 'csv');
    }
}
