<?php

declare(strict_types=1);

/*
 * The way of Rocksy's predecessor, for comparison: one PHP process that has loaded the framework, forks for every
 * request and keeps the statuses in memory. No journal, no claims, no logs, no prefork; a child ends by PHP's own exit.
 *
 *     php server.php ADDRESS BOOTSTRAP        ADDRESS as stream_socket_server() takes it: tcp://127.0.0.1:31337
 *
 * Speaks the requests run, check, free, terminate, stop and bye of docs/wire.md, a line each.
 */

final class Server
{
    /** @var array<int, resource> */
    private array $clients = [];
    /** @var array<int, string> what has come in and is no whole line yet */
    private array $input = [];
    /** @var array<int, string> what has not gone out yet */
    private array $output = [];
    /** @var array<string, array{pid: int, code: ?int}> by hash */
    private array $runs = [];
    /** @var array<int, string> pid => hash */
    private array $hashes = [];

    /** @param resource $listener */
    public function __construct(private $listener)
    {
    }

    public function serve(): never
    {
        pcntl_async_signals(true);
        pcntl_signal(SIGCHLD, function (): void {
            while (($pid = pcntl_waitpid(-1, $status, WNOHANG)) > 0) {
                $hash = $this->hashes[$pid] ?? null;
                unset($this->hashes[$pid]);
                if ($hash !== null && isset($this->runs[$hash])) {
                    $this->runs[$hash]['code'] = pcntl_wexitstatus($status);
                }
            }
        });
        cli_set_process_title('original server');
        for (;;) {
            $this->turn();
        }
    }

    private function turn(): void
    {
        $readable = [$this->listener, ...$this->clients];
        $writable = array_intersect_key($this->clients, array_filter($this->output));
        $except = null;
        if (!@stream_select($readable, $writable, $except, null)) {
            return; // SIGCHLD
        }
        foreach ($writable as $client) {
            $this->write((int) $client);
        }
        foreach ($readable as $socket) {
            if ($socket === $this->listener) {
                $this->accept();
            } else {
                $this->read((int) $socket);
            }
        }
    }

    private function accept(): void
    {
        $client = stream_socket_accept($this->listener, 0);
        stream_set_blocking($client, false);
        $id = (int) $client;
        $this->clients[$id] = $client;
        $this->input[$id] = $this->output[$id] = '';
    }

    private function read(int $id): void
    {
        $bytes = fread($this->clients[$id], 65_536);
        if ($bytes === '' || $bytes === false) {
            if ($bytes === false || feof($this->clients[$id])) {
                $this->drop($id);
            }
            return;
        }
        $lines = explode("\n", $this->input[$id] . $bytes);
        $this->input[$id] = array_pop($lines);
        foreach ($lines as $line) {
            $this->answer($id, rtrim($line, "\r"));
        }
        if (isset($this->clients[$id])) {
            $this->write($id);
        }
    }

    private function write(int $id): void
    {
        $written = fwrite($this->clients[$id], $this->output[$id]);
        $this->output[$id] = substr($this->output[$id], (int) $written);
    }

    private function drop(int $id): void
    {
        fclose($this->clients[$id]);
        unset($this->clients[$id], $this->input[$id], $this->output[$id]);
    }

    private function answer(int $id, string $line): void
    {
        [$name, $json] = explode(' ', $line, 2) + [1 => '{}'];
        $request = json_decode($json, true) ?? [];
        $hash = (string) ($request['hash'] ?? '');
        $answer = match ($name) {
            'run' => $this->run($hash, $request),
            'check' => $this->check($hash),
            'free' => $this->free($hash),
            'terminate' => $this->terminate($hash),
            'stop' => exit(0),
            'bye' => null,
            default => ['error_text' => "UNKNOWN REQUEST 'request_$name': $json"],
        };
        if ($answer === null) {
            $this->drop($id);
        } else {
            $this->output[$id] .= json_encode($answer) . "\n";
        }
    }

    /** @param array<string, mixed> $request */
    private function run(string $hash, array $request): array
    {
        if (!is_numeric($hash)) {
            return ['error_text' => 'hash is not numeric'];
        }
        // Noted before the child's death can be handled, since handlers run between any two statements.
        pcntl_sigprocmask(SIG_BLOCK, [SIGCHLD]);
        $pid = pcntl_fork();
        if ($pid === 0) {
            $this->child($request['class'], $request['params'] ?? []);
        }
        $this->runs[$hash] = ['pid' => $pid, 'code' => null];
        $this->hashes[$pid] = $hash;
        pcntl_sigprocmask(SIG_UNBLOCK, [SIGCHLD]);
        return ['error_text' => 'OK'];
    }

    private function child(string $class, mixed $params): never
    {
        pcntl_signal(SIGCHLD, SIG_DFL);
        pcntl_sigprocmask(SIG_UNBLOCK, [SIGCHLD]);
        fclose($this->listener);
        foreach ($this->clients as $client) {
            fclose($client);
        }
        mt_srand();
        cli_set_process_title("original $class");
        $object = new $class();
        $object->run($params);
        exit(0);
    }

    private function check(string $hash): array
    {
        return match (true) {
            !is_numeric($hash) => ['error_text' => 'Hash is not numeric'],
            !isset($this->runs[$hash]) => ['error_text' => 'Hash not found'],
            $this->runs[$hash]['code'] === null => ['error_text' => 'Still running'],
            default => ['retcode' => $this->runs[$hash]['code']],
        };
    }

    private function free(string $hash): array
    {
        $known = isset($this->runs[$hash]);
        unset($this->runs[$hash]);
        return ['error_text' => $known ? 'OK' : 'Hash not found'];
    }

    private function terminate(string $hash): array
    {
        $run = $this->runs[$hash] ?? null;
        if ($run === null) {
            return ['error_text' => 'Hash not found'];
        }
        if ($run['code'] !== null) {
            return ['error_text' => 'Script already not running'];
        }
        posix_kill($run['pid'], SIGTERM);
        return ['error_text' => 'OK'];
    }
}

[, $address, $bootstrap] = $argv;
require $bootstrap;
$listener = stream_socket_server($address, $code, $message) ?: throw new RuntimeException("$address: $message");
echo "ready\n";
(new Server($listener))->serve();
