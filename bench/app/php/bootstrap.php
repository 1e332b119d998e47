<?php

declare(strict_types=1);

// The Symfony application of examples/symfony, and the measured classes beside it.

require __DIR__ . '/autoload.php';
require __DIR__ . '/../../../examples/symfony/bootstrap.php';
