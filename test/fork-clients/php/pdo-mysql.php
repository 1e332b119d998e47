<?php

final class Db
{
    public static ?PDO $pdo = null;

    public static function get(): PDO
    {
        return self::$pdo ??= new PDO('mysql:dbname=try;unix_socket=' . getenv('MYSQL_SOCKET'), 'try');
    }
}

final class TryIt
{
    public function run(array $params): array
    {
        $query = Db::get()->prepare('SELECT ? + 0 AS n, SLEEP(0.02)');
        $query->execute([$params['n']]);
        return ['n' => (int) $query->fetchColumn()];
    }
}

if (getenv('TRY') !== 'lazy') {
    Db::get()->query('SELECT 1')->fetchAll();
}
return getenv('TRY') === 'hooks' ? ['beforeFork' => static function (): void {
    Db::$pdo = null;
}] : [];
