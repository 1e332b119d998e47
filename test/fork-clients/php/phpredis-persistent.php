<?php

/* pconnect(): PHP itself keeps the connection when no variable holds it. close() does end it. */

final class Db
{
    public static function get(): Redis
    {
        $redis = new Redis();
        $redis->pconnect(getenv('REDIS_SOCKET'));
        return $redis;
    }
}

final class TryIt
{
    public function run(array $params): array
    {
        Db::get()->set("pconnect:{$params['n']}", $params['n']);
        return ['n' => (int) Db::get()->get("pconnect:{$params['n']}")];
    }
}

if (getenv('TRY') !== 'lazy') {
    Db::get()->ping();
}
return getenv('TRY') === 'hooks' ? ['beforeFork' => static fn () => Db::get()->close()] : [];
