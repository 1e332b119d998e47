<?php

declare(strict_types=1);

use Shop\Web\ReportController;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

return static function (RoutingConfigurator $routes): void {
    $routes->add('health', '/health')->controller([ReportController::class, 'health']);
    $routes->add('overview', '/report')->controller([ReportController::class, 'overview']);
    $routes->add('country', '/report/{country}')
        ->controller([ReportController::class, 'country'])
        ->requirements(['country' => '[A-Z]{2}']);
};
