<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/**
 * What a forked child needs of PHP itself and PHP offers to nobody: how it is about to exit, whose shutdown
 * functions and destructors those are, and the seed of lcg_value().
 *
 * Nothing here relies on the layout of a PHP build. Each place is found by watching what a documented function
 * changes, before user code is loaded. What can't be found is left alone: the child then ends in PHP's own way,
 * which is slower and runs the destructors of the bootstrap too. A thread-safe build has none of these symbols.
 */
final class Engine
{
    private const EXECUTOR_BYTES = 1_536;
    private const RANDOM_BYTES = 32;

    private static ?\FFI $php = null;
    /** Where EG(exit_status) lies, in bytes. */
    private static ?int $exitStatus = null;
    /** EG(objects_store). The view is made once: it is itself an object with a handle. */
    private static ?\FFI\CData $objectStore = null;
    /** Where RANDOM_G(combined_lcg_seeded) lies, in bytes. */
    private static ?int $lcgSeeded = null;
    /** Whether BG(user_shutdown_function_names) is where it always was: first. */
    private static bool $shutdownListFound = false;
    private static ?int $countInShutdownList = null;
    /** Objects with a lower handle are the zygote's. */
    private static int $firstHandle = 0;

    public static function calibrate(): void
    {
        try {
            // The function returns void. For void, FFI creates an object, and so each call would add another handle.
            self::$php = \FFI::cdef('
                typedef struct { uintptr_t buckets; uint32_t top; uint32_t size; int32_t free; } object_store;
                int zend_objects_store_call_destructors(object_store *);
                extern char executor_globals[' . self::EXECUTOR_BYTES . '];
                extern char random_globals[' . self::RANDOM_BYTES . '];
                extern int32_t *basic_globals;
            ');
        } catch (\FFI\Exception) {
            return;
        }
        self::findShutdownList();
        self::findExitStatus();
        self::findObjectStore();
        self::findLcgSeeded();
    }

    /** The code that exit() was called with, or 255 after a fatal error; null when this build doesn't tell. */
    public static function exitStatus(): ?int
    {
        if (self::$php === null || self::$exitStatus === null) {
            return null;
        }
        return ord(self::$php->executor_globals[self::$exitStatus]); // the low byte: all that wait(2) keeps
    }

    public static function setExitStatus(int $code): bool
    {
        if (self::$php === null || self::$exitStatus === null) {
            return false;
        }
        self::$php->executor_globals[self::$exitStatus] = chr($code);
        return true;
    }

    /** In a child: shutdown functions of the bootstrap are the zygote's. */
    public static function disownShutdownFunctions(): void
    {
        if (self::$shutdownListFound) {
            // Not freed: that would run destructors of objects which only the list holds.
            self::$php->basic_globals = null;
        }
    }

    /**
     * In a child, as the last thing before user code: objects that exist are the zygote's, new ones the run's.
     *
     * New ones get new handles (zend_objects_store_put in zend_objects_API.c). Only the handle of an object of the
     * bootstrap that the run itself lets go is used again, and an object of the run that has it is taken for the
     * zygote's.
     */
    public static function disownObjects(): void
    {
        if (self::$objectStore !== null) {
            self::$firstHandle = self::$objectStore->top;
            self::$objectStore->free = -1;
        }
    }

    /** lcg_value() and uniqid('', true) seed themselves anew, by time and pid, when they are used next. */
    public static function reseed(): void
    {
        mt_srand();
        if (self::$php !== null && self::$lcgSeeded !== null) {
            self::$php->random_globals[self::$lcgSeeded] = "\0";
            return;
        }
        for ($skip = random_int(1, 100_000); $skip > 0; $skip--) {
            @lcg_value();
        }
    }

    /** How many functions register_shutdown_function() was given since disownShutdownFunctions(); null: can't be told. */
    public static function shutdownFunctions(): ?int
    {
        return self::$countInShutdownList === null ? null : self::$php->basic_globals[self::$countInShutdownList];
    }

    /**
     * Calls the destructors of what was created since disownObjects() and is still alive, oldest first, as
     * zend_call_destructors() does it for all objects. One object a call: a destructor that creates objects may
     * move the table.
     */
    public static function destructOwn(): void
    {
        if (self::$objectStore === null) {
            gc_collect_cycles();
            return;
        }
        $store = self::$objectStore;
        $window = self::$php->new('object_store');
        $address = \FFI::addr($window);
        $window->top = $window->size = 2; // the function begins with handle 1
        for ($handle = self::$firstHandle; $handle < $store->top; $handle++) {
            $window->buckets = $store->buckets + 8 * ($handle - 1);
            self::$php->zend_objects_store_call_destructors($address);
        }
    }

    private static function findShutdownList(): void
    {
        $nothing = static function (): void {
        };
        $before = self::$php->basic_globals;
        register_shutdown_function($nothing);
        self::$shutdownListFound = $before === null && self::$php->basic_globals !== null;
        if (!self::$shutdownListFound) {
            return;
        }
        // Words that count along are nNumUsed, next to it nNumOfElements, and further on nNextFreeElement (zend_types.h).
        $counting = range(0, 13);
        for ($count = 1; $count <= 3; $count++) {
            $counting = array_values(array_filter($counting, static fn (int $i): bool => self::$php->basic_globals[$i] === $count));
            register_shutdown_function($nothing);
        }
        $neighbours = count($counting) >= 2 && $counting[1] === $counting[0] + 1;
        self::$countInShutdownList = $neighbours ? $counting[1] : null;
    }

    /** A probe child exits with a number that is nowhere else, and looks where it lies. */
    private static function findExitStatus(): void
    {
        [$reader, $writer] = Posix::pipe();
        $magic = random_int(1 << 24, 1 << 30);
        $pid = pcntl_fork();
        if ($pid === 0) {
            register_shutdown_function(static function () use ($magic, $writer): void {
                $found = self::positions($magic);
                Posix::writeAll($writer, count($found) === 1 ? (string) $found[0] : 'none');
                Posix::$c->_exit(0);
            });
            exit($magic);
        }
        Posix::$c->close($writer);
        if ($pid > 0) {
            $answer = Posix::read($reader);
            pcntl_waitpid($pid, $status);
            self::$exitStatus = is_numeric($answer) ? (int) $answer : null;
        }
        Posix::$c->close($reader);
    }

    /**
     * EG(objects_store) is the place whose `top` rises by as many objects as are created, and whose table holds
     * the last of them. (The views into C are objects too, hence the small tolerance at first.)
     */
    private static function findObjectStore(): void
    {
        $kept = [];
        do {
            $kept[] = $last = new \stdClass();
            // Free handles are used up when one more object is one more handle, many times in a row.
            $recent = array_map(spl_object_id(...), array_slice($kept, -16));
        } while (count($recent) < 16 || $recent !== range($recent[0], $recent[0] + 15));
        $before = self::executorWords();
        for ($i = 0; $i < 64; $i++) {
            $kept[] = $last = new \stdClass();
        }
        $handle = spl_object_id($last);
        $after = self::executorWords();
        // Words of 4 bytes, of which the structure has: table (2), top, size, free list.
        for ($i = 1; $i + 4 <= count($after); $i += 2) {
            [$top, $size] = [$after[$i + 2], $after[$i + 3]];
            $plausible = $top > $handle && $top <= $handle + 8 && $size >= $top && $size <= 1 << 20 && $size % 1_024 === 0;
            if (!$plausible || $top - $before[$i + 2] < 56 || $top - $before[$i + 2] > 64) {
                continue;
            }
            $store = self::objectStoreAt(4 * ($i - 1));
            // zend_object begins with zend_refcounted_h (8 bytes), then its handle (zend_types.h).
            if (self::$php->cast('uint32_t **', $store->buckets)[$handle][2] === $handle) {
                self::$objectStore = $store;
                return;
            }
        }
    }

    private static function findLcgSeeded(): void
    {
        $before = \FFI::string(self::$php->random_globals, self::RANDOM_BYTES);
        @lcg_value();
        $after = \FFI::string(self::$php->random_globals, self::RANDOM_BYTES);
        for ($i = 0; $i < self::RANDOM_BYTES; $i++) {
            if ($before[$i] === "\0" && $after[$i] === "\1") {
                self::$lcgSeeded = $i;
                return;
            }
        }
    }

    /** @return list<int> where the number stands in executor_globals, in bytes */
    private static function positions(int $number): array
    {
        $found = [];
        foreach (array_keys(self::executorWords(), $number, true) as $index) {
            $found[] = 4 * ($index - 1);
        }
        return $found;
    }

    /** @return array<int, int> counted from 1 */
    private static function executorWords(): array
    {
        return unpack('l*', \FFI::string(self::$php->executor_globals, self::EXECUTOR_BYTES));
    }

    private static function objectStoreAt(int $offset): \FFI\CData
    {
        return self::$php->cast('object_store *', \FFI::addr(self::$php->executor_globals[$offset]))[0];
    }
}
