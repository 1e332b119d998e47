<?php

declare(strict_types=1);

namespace Shop\Customer;

use Symfony\Component\EventDispatcher\EventSubscriberInterface;

/** Counts imported customers. Its state belongs to one run: each run is a fork and begins with the empty count. */
final class CountByCountry implements EventSubscriberInterface
{
    /** @var array<string, int> */
    private array $counts = [];

    public static function getSubscribedEvents(): array
    {
        return [CustomerImported::class => 'count'];
    }

    public function count(CustomerImported $event): void
    {
        $country = $event->customer->country;
        $this->counts[$country] = ($this->counts[$country] ?? 0) + 1;
    }

    /** @return array<string, int> */
    public function counts(): array
    {
        ksort($this->counts);

        return $this->counts;
    }
}
