<?php

declare(strict_types=1);

namespace Symfony\Component\DependencyInjection\Loader\Configurator;

use Shop\Command\PriceListCommand;
use Shop\Customer\CustomerFile;
use Shop\Customer\CustomerValidator;
use Shop\Customer\CountByCountry;
use Shop\Web\ReportController;
use Symfony\Component\Config\FileLocator;
use Symfony\Component\Console\Application;
use Symfony\Component\EventDispatcher\EventDispatcher;
use Symfony\Component\HttpFoundation\RequestStack;
use Symfony\Component\HttpKernel\Controller\ArgumentResolver;
use Symfony\Component\HttpKernel\Controller\ContainerControllerResolver;
use Symfony\Component\HttpKernel\EventListener\RouterListener;
use Symfony\Component\HttpKernel\HttpKernel;
use Symfony\Component\Routing\Loader\PhpFileLoader;
use Symfony\Component\Routing\RequestContext;
use Symfony\Component\Routing\Router;

return static function (ContainerConfigurator $container): void {
    $services = $container->services()->defaults()->private();

    // The shop's own.
    $services->set(CustomerFile::class)->args(['%root%/data/customers.csv'])->public();
    $services->set(CustomerValidator::class)->public();
    $services->set(CountByCountry::class)->tag('kernel.event_subscriber')->public();
    $services->set(ReportController::class)->args([service(CustomerFile::class), service('router')])->public();
    $services->set(PriceListCommand::class)->tag('console.command');

    // Symfony, put together by hand: no bundle, no recipe.
    $services->set('event_dispatcher', EventDispatcher::class)->public();
    $services->set('request_stack', RequestStack::class);
    $services->set('request_context', RequestContext::class);
    $services->set('routing.loader', PhpFileLoader::class)
        ->args([inline_service(FileLocator::class)->args(['%root%/config'])]);
    $services->set('router', Router::class)
        ->args([service('routing.loader'), 'routes.php', ['cache_dir' => '%cache%'], service('request_context')])
        ->public();
    $services->set('router.listener', RouterListener::class)
        ->args([service('router'), service('request_stack'), service('request_context')])
        ->tag('kernel.event_subscriber');
    $services->set('http_kernel', HttpKernel::class)
        ->args([
            service('event_dispatcher'),
            inline_service(ContainerControllerResolver::class)->args([service('service_container')]),
            service('request_stack'),
            inline_service(ArgumentResolver::class),
        ])
        ->public();
    $services->set('console', Application::class)
        ->args(['Shop', '1.0'])
        ->call('setAutoExit', [false])
        ->call('setCatchExceptions', [false])
        ->call('setCommandLoader', [service('console.command_loader')])
        ->public();
};
