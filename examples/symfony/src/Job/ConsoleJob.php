<?php

declare(strict_types=1);

namespace Shop\Job;

use Shop\App;
use Shop\Command\EchoOutput;
use Shop\Options;
use Symfony\Component\Console\Input\ArrayInput;

/**
 * Runs a Symfony console command by name; its exit code is the run's.
 * Parameters: `command`, `input` (arguments and options by name), for example
 * `{"command": "shop:price-list", "input": {"net": [1, 2.5], "--vat": 7}}`.
 */
final class ConsoleJob
{
    public function run(mixed $params): int
    {
        $options = Options::of($params);
        $input = ['command' => $options->string('command', 'list')] + $options->map('input');

        return App::console()->run(new ArrayInput($input), new EchoOutput());
    }
}
