<?php

/* `p:` before the host: PHP itself keeps the connection, also after close(). So there is no way with hooks. */

final class Db
{
    public static function get(): mysqli
    {
        return new mysqli('p:localhost', 'try', database: 'try', socket: getenv('MYSQL_SOCKET'));
    }
}

final class TryIt
{
    public function run(array $params): array
    {
        $result = Db::get()->execute_query('SELECT ? + 0 AS n, SLEEP(0.02)', [$params['n']]);
        return ['n' => (int) $result->fetch_row()[0]];
    }
}

if (getenv('TRY') !== 'lazy') {
    Db::get()->close();
}
