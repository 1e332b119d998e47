<?php

declare(strict_types=1);

namespace Shop;

use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Component\HttpKernel\Kernel as BaseKernel;

/** Symfony's kernel with the configuration in `config`, as the framework's own skeleton has it. */
final class Kernel extends BaseKernel
{
    use MicroKernelTrait;

    public function getProjectDir(): string
    {
        return dirname(__DIR__);
    }

    /**
     * Container, routes and templates, compiled once for each state of the code. What is in the folder is executed: nobody
     * but the user whom this runs as may write to it, so each has one of its own.
     */
    public function getCacheDir(): string
    {
        return (getenv('SHOP_CACHE') ?: $this->getProjectDir() . '/var/cache-' . posix_geteuid()) . '/' . $this->fingerprint();
    }

    /** No log of its own: what is printed is the run's log. Symfony wants a folder that it can write to. */
    public function getLogDir(): string
    {
        return $this->getCacheDir();
    }

    private function fingerprint(): string
    {
        static $fingerprint = null;

        return $fingerprint ??= hash('xxh64', serialize(array_map(
            static fn (string $file): array => [$file, filemtime($file)],
            glob($this->getProjectDir() . '/{config,config/*,src,src/*,templates/*}/*.{php,yaml,twig}', GLOB_BRACE),
        )));
    }
}
