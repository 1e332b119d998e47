<?php

final class Db
{
    public static ?Redis $redis = null;

    public static function get(): Redis
    {
        if (self::$redis === null) {
            self::$redis = new Redis();
            self::$redis->connect(getenv('REDIS_SOCKET'));
        }
        return self::$redis;
    }
}

final class TryIt
{
    public function run(array $params): array
    {
        Db::get()->set("phpredis:{$params['n']}", $params['n']);
        return ['n' => (int) Db::get()->get("phpredis:{$params['n']}")];
    }
}

if (getenv('TRY') !== 'lazy') {
    Db::get()->ping();
}
return getenv('TRY') === 'hooks' ? ['beforeFork' => static function (): void {
    Db::$redis->close();
    Db::$redis = null;
}] : [];
