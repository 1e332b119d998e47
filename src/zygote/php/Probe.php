<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** A child that goes through all preparation and exits: whether it can be done here. */
final class Probe
{
    public ?string $message = null;

    public function __construct(private readonly mixed $id)
    {
    }

    public function answer(bool $ok, string $message): string
    {
        return Json::answer('probed', $this->id, ['ok' => $ok] + ($ok ? [] : ['message' => $message]));
    }
}
