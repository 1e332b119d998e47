<?php

require 'Doctrine/DBAL/autoload.php';

final class Db
{
    public static ?Doctrine\DBAL\Connection $connection = null;
}
Db::$connection = Doctrine\DBAL\DriverManager::getConnection([ // connects by its first query
    'driver' => 'pdo_pgsql', 'host' => getenv('PG_HOST'), 'dbname' => getenv('PG_DATABASE'), 'user' => 'postgres',
]);

final class TryIt
{
    public function run(array $params): array
    {
        return ['n' => (int) Db::$connection->fetchOne('SELECT CAST(? AS integer)', [$params['n']])];
    }
}

if (getenv('TRY') !== 'lazy') {
    Db::$connection->fetchOne('SELECT 1');
}
return getenv('TRY') === 'hooks' ? ['beforeFork' => static fn () => Db::$connection->close()] : [];
