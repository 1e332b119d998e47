<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** The job that a parked child rehearses with. */
final class Rehearsal
{
    public function run(mixed $params): never
    {
        ob_start();
        echo json_encode($params);
        ob_end_clean();
        throw new \RuntimeException('rehearsal');
    }
}
