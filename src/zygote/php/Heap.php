<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** PHP's own allocator (zend_alloc.c), before many processes are forked from this one. */
final class Heap
{
    /** Small blocks come in these sizes: ZEND_MM_BINS_INFO in zend_alloc_sizes.h. Larger ones are too few to matter. */
    private const BLOCK_BYTES = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640];
    private const PAGE_BYTES = 4_096;
    /** So many blocks in a row were never in use: freed ones hang together in the order of their release. */
    private const MOST_NEIGHBOURS = 48;

    /**
     * Uses up the holes that the bootstrap has left, for good: what is allocated from now on lies together. Each page
     * that zygote or child writes to after a fork is copied by a page fault, and the holes are all over the heap.
     */
    public static function fillHoles(): void
    {
        $most = memory_get_usage(true); // there can't be more holes; and 0 where USE_ZEND_ALLOC=0 has malloc(3) do it all
        foreach (self::BLOCK_BYTES as $bytes) {
            $type = \FFI::type("char[$bytes]");
            $enough = min(self::MOST_NEIGHBOURS, intdiv(self::PAGE_BYTES, $bytes) - 2);
            $left = intdiv($most, $bytes);
            for ($neighbours = $last = 0; $neighbours < $enough && $left-- > 0; $last = $address) {
                $block = \FFI::addr(\FFI::new($type, owned: false)); // nobody frees it
                $address = \FFI::cast('uintptr_t', $block)->cdata;
                $neighbours = $address === $last + $bytes ? $neighbours + 1 : 0;
            }
        }
    }
}
