<?php

final class Db
{
    public static ?mysqli $mysqli = null;

    public static function get(): mysqli
    {
        return self::$mysqli ??= new mysqli(username: 'try', database: 'try', socket: getenv('MYSQL_SOCKET'));
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
    Db::get()->query('SELECT 1');
}
return getenv('TRY') === 'hooks' ? ['beforeFork' => static function (): void {
    Db::$mysqli->close();
    Db::$mysqli = null;
}] : [];
