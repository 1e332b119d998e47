<?php

require 'Psr/Log/autoload.php';
require 'Monolog/autoload.php';

final class Logs
{
    public static ?Monolog\Logger $log = null;
}
$handler = new Monolog\Handler\StreamHandler(getenv('SCRATCH') . '/monolog.log'); // opens by its first line
Logs::$log = new Monolog\Logger('try', [$handler]);

final class TryIt
{
    public function run(array $params): array
    {
        Logs::$log->info("n {$params['n']} " . str_repeat('x', 3_000));
        $lines = preg_grep("/n {$params['n']} x{3000} \\[\\] \\[\\]$/", file(getenv('SCRATCH') . '/monolog.log', FILE_IGNORE_NEW_LINES));
        return ['n' => count($lines) > 0 ? $params['n'] : -1];
    }
}

if (getenv('TRY') !== 'lazy') {
    Logs::$log->info('loaded');
}
return getenv('TRY') === 'hooks' ? ['beforeFork' => static fn () => Logs::$log->close()] : [];
