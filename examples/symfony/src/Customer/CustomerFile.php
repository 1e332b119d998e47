<?php

declare(strict_types=1);

namespace Shop\Customer;

/** Reads a customer file (CSV with a header) row by row. The file is open only while it is read. */
final class CustomerFile
{
    private const COLUMNS = ['number', 'name', 'email', 'country', 'since', 'revenue_cents'];

    public function __construct(private readonly string $defaultPath)
    {
    }

    /** @return list<Customer> */
    public function read(?string $path = null): array
    {
        $path ??= $this->defaultPath;
        $file = new \SplFileObject($path);
        $file->setFlags(\SplFileObject::READ_CSV | \SplFileObject::SKIP_EMPTY | \SplFileObject::READ_AHEAD);

        $customers = [];
        foreach ($file as $index => $row) {
            if ($index === 0) {
                $row === self::COLUMNS || throw new \UnexpectedValueException("$path: the first line must be " . implode(',', self::COLUMNS));
                continue;
            }
            count($row) === count(self::COLUMNS) || throw new \UnexpectedValueException("$path: row $index has " . count($row) . ' fields, not ' . count(self::COLUMNS));
            $customers[] = new Customer((int) $row[0], $row[1], $row[2], $row[3], $row[4], (int) $row[5]);
        }

        return $customers;
    }
}
