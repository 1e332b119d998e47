<?php

final class Db
{
    public static ?PDO $pdo = null;

    public static function get(): PDO
    {
        self::$pdo ??= new PDO('sqlite:' . getenv('SCRATCH') . '/php.sqlite', options: [PDO::ATTR_TIMEOUT => 20]);
        self::$pdo->exec('CREATE TABLE IF NOT EXISTS tries (n INTEGER)');
        return self::$pdo;
    }
}

final class TryIt
{
    public function run(array $params): array
    {
        Db::get()->prepare('INSERT INTO tries VALUES (?)')->execute([$params['n']]);
        $query = Db::get()->prepare('SELECT n FROM tries WHERE n = ?');
        $query->execute([$params['n']]);
        return ['n' => (int) $query->fetchColumn()];
    }
}

if (getenv('TRY') !== 'lazy') {
    Db::get();
}
return getenv('TRY') === 'hooks' ? ['beforeFork' => static function (): void {
    Db::$pdo = null;
}] : [];
