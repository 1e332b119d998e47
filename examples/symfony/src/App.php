<?php

declare(strict_types=1);

namespace Shop;

use Symfony\Component\Config\ConfigCache;
use Symfony\Component\Config\FileLocator;
use Symfony\Component\Console\Application;
use Symfony\Component\Console\DependencyInjection\AddConsoleCommandPass;
use Symfony\Component\DependencyInjection\ContainerBuilder;
use Symfony\Component\DependencyInjection\Dumper\PhpDumper;
use Symfony\Component\DependencyInjection\Loader\PhpFileLoader;
use Symfony\Component\EventDispatcher\DependencyInjection\RegisterListenersPass;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpKernel\HttpKernel;
use Psr\Container\ContainerInterface;

/** The application that the bootstrap leaves behind for the jobs. */
final class App
{
    private static ContainerInterface $container;

    /** `$cache`: a folder that only our own user writes to, or null to compile the container in memory. */
    public static function boot(string $root, ?string $cache): void
    {
        self::$container = $cache === null ? self::compile($root, null) : self::load($root, $cache);

        // One request and the console, so that what they load is there before the first fork.
        self::kernel()->handle(Request::create(self::router()->generate('health')));
        self::console()->all();
    }

    /**
     * @template T of object
     * @param class-string<T> $id
     * @return T
     */
    public static function get(string $id): object
    {
        return self::$container->get($id);
    }

    public static function kernel(): HttpKernel
    {
        return self::$container->get('http_kernel');
    }

    public static function router(): \Symfony\Component\Routing\Router
    {
        return self::$container->get('router');
    }

    public static function console(): Application
    {
        return self::$container->get('console');
    }

    public static function dispatch(object $event): void
    {
        self::$container->get('event_dispatcher')->dispatch($event);
    }

    /** Tells whoever watches the run how far it is. Outside Rocksy, where that function is missing, nobody watches. */
    public static function progress(int $percent, string $text): void
    {
        if (function_exists('Rocksy\progress')) {
            \Rocksy\progress($percent, $text);
        }
    }

    /** The container as Symfony runs it in production: dumped to PHP once for each state of the code. */
    private static function load(string $root, string $cache): ContainerInterface
    {
        $folder = $cache . '/' . self::fingerprint($root);
        $dumped = new ConfigCache("$folder/ShopContainer.php", false);
        if (!$dumped->isFresh()) {
            $dumper = new PhpDumper(self::compile($root, $folder));
            $dumped->write($dumper->dump(['namespace' => 'Shop\Cached', 'class' => 'ShopContainer']));
        }
        require_once $dumped->getPath();

        return new \Shop\Cached\ShopContainer();
    }

    private static function compile(string $root, ?string $cache): ContainerBuilder
    {
        $container = new ContainerBuilder();
        $container->setParameter('root', $root);
        $container->setParameter('cache', $cache);
        $container->addCompilerPass(new RegisterListenersPass());
        $container->addCompilerPass(new AddConsoleCommandPass());
        (new PhpFileLoader($container, new FileLocator("$root/config")))->load('services.php');
        $container->compile();

        return $container;
    }

    private static function fingerprint(string $root): string
    {
        $files = [...glob("$root/config/*.php"), ...glob("$root/src/{*,*/*}.php", GLOB_BRACE)];

        return hash('xxh64', $root . serialize(array_map('filemtime', array_combine($files, $files))));
    }
}
