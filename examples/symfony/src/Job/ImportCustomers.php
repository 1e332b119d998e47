<?php

declare(strict_types=1);

namespace Shop\Job;

use Shop\App;
use Shop\Customer\CountByCountry;
use Shop\Customer\Customer;
use Shop\Customer\CustomerFile;
use Shop\Customer\CustomerImported;
use Shop\Customer\CustomerValidator;
use Shop\Options;

/**
 * Reads a customer file into a SQLite database, row by row, each with an event for whoever listens.
 * Parameters: `file` (default: the one that comes with the example), `database` (default: in memory).
 */
final class ImportCustomers
{
    public function run(mixed $params): array
    {
        $options = Options::of($params);
        $customers = App::get(CustomerFile::class)->read($options->string('file', '') ?: null);
        $validator = App::get(CustomerValidator::class);

        // Opened here and not in the bootstrap: a SQLite handle must not cross a fork.
        $database = self::open($options->string('database', ':memory:'));
        $insert = $database->prepare('INSERT OR REPLACE INTO customer VALUES (?, ?, ?, ?, ?, ?)');

        $rejected = 0;
        $database->beginTransaction();
        foreach ($customers as $index => $customer) {
            $problem = $validator->problem($customer);
            if ($problem === null) {
                $insert->execute(self::row($customer));
                App::dispatch(new CustomerImported($customer));
            } else {
                $rejected++;
                echo "row ", $index + 1, ": $problem\n";
            }
            if (($index + 1) % 100 === 0 && $index + 1 < count($customers)) {
                self::report($index + 1, count($customers));
            }
        }
        $database->commit();
        self::report(count($customers), count($customers));

        return [
            'read' => count($customers),
            'imported' => count($customers) - $rejected,
            'rejected' => $rejected,
            'in_database' => (int) $database->query('SELECT count(*) FROM customer')->fetchColumn(),
            'countries' => App::get(CountByCountry::class)->counts(),
        ];
    }

    private static function open(string $path): \PDO
    {
        $database = new \PDO("sqlite:$path", options: [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION]);
        $database->exec('CREATE TABLE IF NOT EXISTS customer (number INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, country TEXT NOT NULL, since TEXT NOT NULL, revenue_cents INTEGER NOT NULL)');

        return $database;
    }

    /** @return list<int|string> */
    private static function row(Customer $customer): array
    {
        return [$customer->number, $customer->name, $customer->email, $customer->country, $customer->since, $customer->revenueCents];
    }

    private static function report(int $done, int $all): void
    {
        echo "$done of $all customers\n";
        App::progress($all === 0 ? 100 : intdiv(100 * $done, $all), "$done of $all customers");
    }
}
