<?php
// Takes messages from a list of Redis, one at a time, until it gets SIGTERM. Any number of these may run.
//
//   orders                   the queue: RPUSH orders '…'
//   orders:consumers         the ids of all consumers that may have a message
//   orders:processing:ID     the message that consumer ID is at work on
//
// A message is moved from the queue to the consumer's own list in one step, and goes from there in the step that has the
// work's results. A consumer is dead when no connection bears its id as a name: Redis notices the end of a process at
// once, and no clock is needed. The others put its message back.

declare(strict_types=1);

const IDLE_US = 100_000;
const RECOVER_EVERY_S = 2;

/** One that was given up (its connection broke, another has put its message back) must not take any more. */
const TAKE = <<<'LUA'
    if redis.call('SISMEMBER', 'orders:consumers', ARGV[1]) == 0 then return redis.error_reply('GIVENUP') end
    return redis.call('LMOVE', 'orders', 'orders:processing:' .. ARGV[1], 'LEFT', 'RIGHT')
    LUA;

/** Whoever has been given up finds its message gone, and writes nothing. */
const FINISH = <<<'LUA'
    if redis.call('LREM', 'orders:processing:' .. ARGV[1], 1, ARGV[2]) == 0 then return 0 end
    redis.call('RPUSH', 'orders:handled', ARGV[3])
    return 1
    LUA;

/** Back to where it was taken from; of several that find the same consumer dead only the first moves anything. */
const RECOVER = <<<'LUA'
    if redis.call('SREM', 'orders:consumers', ARGV[1]) == 0 then return 0 end
    local count = 0
    while redis.call('LMOVE', 'orders:processing:' .. ARGV[1], 'orders', 'RIGHT', 'LEFT') do count = count + 1 end
    return count
    LUA;

// The message at hand is finished first: a job's `kill_after` has to be longer than that takes.
$stop = false;
pcntl_async_signals(true);
pcntl_signal(SIGTERM, static function () use (&$stop): void {
    $stop = true;
});

// The name first: from then on it counts as alive, and after that as one of them.
$id = bin2hex(random_bytes(8));
$redis = connect();
command($redis, 'CLIENT', 'SETNAME', $id);
command($redis, 'SADD', 'orders:consumers', $id);
echo "ready\n";

$recoverAt = 0;
while (!$stop) {
    if (hrtime(true) >= $recoverAt) {
        recover($redis);
        $recoverAt = hrtime(true) + RECOVER_EVERY_S * 1_000_000_000;
    }
    $message = script($redis, TAKE, $id);
    if (!is_string($message)) {
        // A signal ends it at once.
        usleep(IDLE_US);
        continue;
    }
    $result = handle($message);
    if (script($redis, FINISH, $id, $message, $result) !== 1) {
        throw new RuntimeException('the message was given to another consumer meanwhile');
    }
}
// What it has is nothing, but if a connection broke at the wrong moment: then this puts it back.
script($redis, RECOVER, $id);
echo "ended\n";

/**
 * The work. Its result is written to Redis once; what it does elsewhere (a mail, a request) may be done twice when the
 * process is killed in between, and wants an id in the message as a key.
 */
function handle(string $message): string
{
    usleep(1_000 * (int) getenv('SHOP_WORK_MS'));
    return $message;
}

function recover(Redis $redis): void
{
    // In this order: whoever joins after the first has a name before the second.
    $consumers = command($redis, 'SMEMBERS', 'orders:consumers');
    preg_match_all('/ name=(\S+) /', command($redis, 'CLIENT', 'LIST'), $alive);
    foreach (array_diff($consumers, $alive[1]) as $dead) {
        $count = script($redis, RECOVER, $dead);
        echo "put back $count of $dead, which has died\n";
    }
}

/** SHOP_REDIS is host:port or the path of a socket, SHOP_REDIS_PASSWORD its password if it has one. */
function connect(): Redis
{
    $redis = new Redis();
    $place = getenv('SHOP_REDIS') ?: '127.0.0.1:6379';
    if (str_starts_with($place, '/')) {
        $redis->connect($place);
    } else {
        [$host, $port] = explode(':', $place);
        $redis->connect($host, (int) $port);
    }
    // What is lost with a connection is not asked for again over another one, which would not bear our name.
    $redis->setOption(Redis::OPT_MAX_RETRIES, 0);
    $password = getenv('SHOP_REDIS_PASSWORD');
    if (is_string($password) && $password !== '') {
        $redis->auth($password);
    }
    return $redis;
}

function command(Redis $redis, string ...$words): mixed
{
    $answer = $redis->rawCommand(...$words);
    $error = $redis->getLastError();
    if ($error !== null) {
        throw new RuntimeException("$words[0]: $error");
    }
    return $answer;
}

function script(Redis $redis, string $script, string ...$arguments): mixed
{
    return command($redis, 'EVAL', $script, '0', ...$arguments);
}
