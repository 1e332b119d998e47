<?php

declare(strict_types=1);

namespace Rocksy;

use Rocksy\Zygote\RunFile;

/**
 * Tells how far the run is; `rocksy status` and the web page show it. Outside a run it does nothing.
 *
 *     Rocksy\progress(40, 'importing customers');
 */
function progress(int $percent, string $text = ''): void
{
    $percent = max(0, min(100, $percent));
    RunFile::append(rtrim("progress $percent " . RunFile::oneLine($text, RunFile::MOST_PROGRESS_BYTES)));
}
