<?php

final class Db
{
    public static ?PDO $pdo = null;

    public static function get(): PDO
    {
        return self::$pdo ??= new PDO(getenv('PG_DSN'), 'postgres', '', [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
    }
}

final class TryIt
{
    public function run(array $params): array
    {
        $query = Db::get()->prepare('SELECT CAST(? AS integer) AS n, pg_sleep(0.02)');
        $query->execute([$params['n']]);
        return ['n' => (int) $query->fetchColumn()];
    }
}

if (getenv('TRY') !== 'lazy') {
    Db::get()->query('SELECT 1');
}
return getenv('TRY') === 'hooks' ? ['beforeFork' => static function (): void {
    Db::$pdo = null;
}] : [];
