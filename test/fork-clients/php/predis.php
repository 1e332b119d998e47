<?php

require 'Predis/autoload.php';

final class Db
{
    public static ?Predis\Client $redis = null;
}
Db::$redis = new Predis\Client(['scheme' => 'unix', 'path' => getenv('REDIS_SOCKET')]); // connects by its first command

final class TryIt
{
    public function run(array $params): array
    {
        Db::$redis->set("predis:{$params['n']}", $params['n']);
        return ['n' => (int) Db::$redis->get("predis:{$params['n']}")];
    }
}

if (getenv('TRY') !== 'lazy') {
    Db::$redis->ping();
}
return getenv('TRY') === 'hooks' ? ['beforeFork' => static fn () => Db::$redis->disconnect()] : [];
