<?php

declare(strict_types=1);

namespace Shop;

use Shop\Customer\CustomerFile;
use Shop\Customer\CustomerValidator;
use Symfony\Bundle\FrameworkBundle\Console\Application;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\HttpKernelInterface;
use Symfony\Component\Routing\RouterInterface;

/** The application that the bootstrap leaves behind for the jobs. */
final class App
{
    private static Kernel $kernel;

    public static function boot(): void
    {
        self::$kernel = new Kernel('prod', false);
        self::$kernel->boot();

        // What jobs need is built before the first fork: the services that they ask for, and all that a page takes.
        self::get(CustomerFile::class);
        self::get(CustomerValidator::class);
        self::page(self::router()->generate('health'));
    }

    /**
     * @template T of object
     * @param class-string<T> $id
     * @return T
     */
    public static function get(string $id): object
    {
        return self::$kernel->getContainer()->get($id);
    }

    /** What the site answers. As a part of the job: of main requests Symfony expects that nothing comes after them. */
    public static function page(string $url): Response
    {
        return self::$kernel->handle(Request::create($url), HttpKernelInterface::SUB_REQUEST);
    }

    public static function router(): RouterInterface
    {
        return self::$kernel->getContainer()->get('router');
    }

    public static function console(): Application
    {
        $console = new Application(self::$kernel);
        $console->setAutoExit(false);
        $console->setCatchExceptions(false);

        return $console;
    }

    public static function dispatch(object $event): void
    {
        self::$kernel->getContainer()->get('event_dispatcher')->dispatch($event);
    }

    /** Tells whoever watches the run how far it is. Outside Rocksy, where that function is missing, nobody watches. */
    public static function progress(int $percent, string $text): void
    {
        if (function_exists('Rocksy\progress')) {
            \Rocksy\progress($percent, $text);
        }
    }
}
