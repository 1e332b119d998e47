<?php
// Takes messages from a table of PostgreSQL, one at a time, until it gets SIGTERM. Any number of these may run.
//
// A message is locked while it is worked on, and its row goes in the transaction that has the work's results. So it is
// done once or not at all, whatever ends this process: the database then unlocks it for another one.

declare(strict_types=1);

const IDLE_US = 200_000;

// What fails throws, ends the process and is seen in its log; another instance takes its place.
set_error_handler(static function (int $level, string $message, string $file, int $line): never {
    throw new ErrorException($message, 0, $level, $file, $line);
});

// The message at hand is finished first: a job's `kill_after` has to be longer than that takes.
$stop = false;
pcntl_async_signals(true);
pcntl_signal(SIGTERM, static function () use (&$stop): void {
    $stop = true;
});

$db = pg_connect((string) getenv('SHOP_DATABASE'));
echo "ready\n";
while (!$stop) {
    pg_query($db, 'BEGIN');
    $found = pg_query($db, <<<'SQL'
        SELECT id, body FROM messages WHERE due_at <= now() AND attempts < 5
        ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
        SQL);
    $message = pg_fetch_assoc($found);
    if ($message === false) {
        pg_query($db, 'ROLLBACK');
        // A signal ends it at once.
        usleep(IDLE_US);
        continue;
    }
    try {
        handle($db, $message);
    } catch (DomainException $error) {
        // Of no use at the moment. Without this it would be the first one again, for ever.
        pg_query($db, 'ROLLBACK');
        $later = "UPDATE messages SET attempts = attempts + 1, due_at = now() + interval '1 minute', error = $2 WHERE id = $1";
        pg_query_params($db, $later, [$message['id'], $error->getMessage()]);
        continue;
    }
    pg_query_params($db, 'DELETE FROM messages WHERE id = $1', [$message['id']]);
    pg_query($db, 'COMMIT');
}
echo "ended\n";

/**
 * The work. What it writes to this database is written once; what it does elsewhere (a mail, a request) may be done twice
 * when the process is killed in between, and wants the message's id as a key.
 *
 * @param array{id: string, body: string} $message
 * @throws DomainException the message can't be worked on now
 */
function handle(PgSql\Connection $db, array $message): void
{
    if ($message['body'] === '') {
        throw new DomainException('a message without a body');
    }
    usleep(1_000 * (int) getenv('SHOP_WORK_MS'));
    pg_query_params($db, 'INSERT INTO handled (message_id, body) VALUES ($1, $2)', [$message['id'], $message['body']]);
}
