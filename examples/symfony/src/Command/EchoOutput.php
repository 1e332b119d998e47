<?php

declare(strict_types=1);

namespace Shop\Command;

use Symfony\Component\Console\Output\Output;

/** Console output by echo: wherever the run's standard output goes, also when that changed after the bootstrap. */
final class EchoOutput extends Output
{
    protected function doWrite(string $message, bool $newline): void
    {
        echo $message, $newline ? "\n" : '';
    }
}
