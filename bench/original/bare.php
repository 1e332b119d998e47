<?php

declare(strict_types=1);

/*
 * The limit: what fork + _exit + wait cost in a PHP process that has loaded the same framework, without anything else.
 *
 *     php bare.php BOOTSTRAP SECONDS AT_ONCE
 *
 * Prints one line of JSON: forks per second, CPU and page faults per fork of both processes, the times of whole lives
 * (before fork to after wait) and those until the child's first statement, in nanoseconds.
 */

[, $bootstrap, $seconds, $atOnce] = $argv;
require $bootstrap;

$c = FFI::cdef('void _exit(int); int write(int, const char *, unsigned long); int pipe(int *); long read(int, void *, unsigned long); int malloc_trim(unsigned long);');
gc_collect_cycles();
gc_mem_caches();
$c->malloc_trim(0);
$ends = $c->new('int[2]');
$c->pipe($ends);
[$reader, $writer] = [$ends[0], $ends[1]];
$stamp = $c->new('int64_t[1]');

/** @return array{float, int, int} CPU in ms, page faults of this process, page faults of its children */
function used(): array
{
    $ms = 0.0;
    foreach ([$own = getrusage(0), $children = getrusage(1)] as $usage) {
        $ms += ($usage['ru_utime.tv_sec'] + $usage['ru_stime.tv_sec']) * 1e3 + ($usage['ru_utime.tv_usec'] + $usage['ru_stime.tv_usec']) / 1e3;
    }
    return [$ms, $own['ru_minflt'], $children['ru_minflt']];
}

function measure(FFI $c, float $seconds, int $atOnce, ?int $writer, ?int $reader, FFI\CData $stamp): array
{
    $lives = $starts = $begun = [];
    $before = used();
    $begin = hrtime(true);
    $end = $begin + (int) ($seconds * 1e9);
    $count = $running = 0;
    while (($now = hrtime(true)) < $end || $running > 0) {
        if ($now < $end && $running < $atOnce) {
            $pid = pcntl_fork();
            if ($pid === 0) {
                if ($writer !== null) {
                    $bytes = pack('q', hrtime(true));
                    $c->write($writer, $bytes, 8);
                }
                $c->_exit(0);
            }
            $begun[$pid] = $now;
            $running++;
            continue;
        }
        $pid = pcntl_waitpid(-1, $status);
        if ($reader !== null) {
            $c->read($reader, $stamp, 8);
            $starts[] = $stamp[0] - $begun[$pid];
        }
        $lives[] = hrtime(true) - $begun[$pid];
        unset($begun[$pid]);
        $running--;
        $count++;
    }
    $took = (hrtime(true) - $begin) / 1e9;
    $after = used();
    return [
        'per_second' => $count / $took,
        'cpu_ms' => ($after[0] - $before[0]) / $count,
        'parent_faults' => ($after[1] - $before[1]) / $count,
        'child_faults' => ($after[2] - $before[2]) / $count,
        'lives_ns' => $lives,
        'starts_ns' => $starts,
    ];
}

measure($c, 0.2, 1, null, null, $stamp);
$result = measure($c, (float) $seconds, (int) $atOnce, null, null, $stamp);
$stamped = measure($c, min(1.0, (float) $seconds), 1, $writer, $reader, $stamp);

// A child that only waits, to be looked at from outside.
$pid = pcntl_fork();
if ($pid === 0) {
    sleep(10);
    $c->_exit(0);
}
usleep(20_000);
$smaps = file_get_contents("/proc/$pid/smaps_rollup");
posix_kill($pid, SIGKILL);
pcntl_waitpid($pid, $status);
preg_match_all('/^Private_(?:Clean|Dirty):\s+(\d+) kB$/m', $smaps, $private);
echo json_encode(['starts_ns' => $stamped['starts_ns'], 'private_bytes' => array_sum($private[1]) * 1024] + $result), "\n";
