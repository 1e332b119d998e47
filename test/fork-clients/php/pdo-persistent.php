<?php

/* PDO::ATTR_PERSISTENT: PHP itself keeps the connection, and no variable that is unset closes it. So there is no way with hooks. */

final class Db
{
    public static function get(): PDO
    {
        return new PDO(getenv('PG_DSN'), 'postgres', '', [PDO::ATTR_PERSISTENT => true]);
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
