<?php

declare(strict_types=1);

namespace Shop\Job;

use Shop\Options;

/** Fails as jobs do: by an exception. Parameter: `message`. */
final class Failing
{
    public function run(mixed $params): never
    {
        echo "about to fail\n";
        throw new \DomainException(Options::of($params)->string('message', 'the warehouse does not answer'));
    }
}
