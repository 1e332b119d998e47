<?php

declare(strict_types=1);

namespace Shop\Web;

use Shop\Customer\Customer;
use Shop\Customer\CustomerFile;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Exception\NotFoundHttpException;
use Symfony\Component\Routing\Generator\UrlGeneratorInterface;

final class ReportController
{
    public function __construct(private readonly CustomerFile $file, private readonly UrlGeneratorInterface $urls)
    {
    }

    public function health(): Response
    {
        return new Response('ok', 200, ['Content-Type' => 'text/plain']);
    }

    public function overview(): Response
    {
        $rows = '';
        foreach ($this->byCountry() as $country => $customers) {
            $link = $this->urls->generate('country', ['country' => $country]);
            $rows .= sprintf("<tr><td><a href=\"%s\">%s</a><td>%d<td>%s\n", $link, $country, count($customers), self::revenue($customers));
        }

        return new Response("<!doctype html><title>Customers</title>\n<table>\n$rows</table>\n");
    }

    public function country(string $country, Request $request): Response
    {
        $customers = $this->byCountry()[$country] ?? throw new NotFoundHttpException("No customer in $country");
        usort($customers, static fn (Customer $a, Customer $b): int => $b->revenueCents <=> $a->revenueCents);
        $rows = '';
        foreach (array_slice($customers, 0, $request->query->getInt('top', 10)) as $customer) {
            $rows .= sprintf("<tr><td>%s<td>%s\n", htmlspecialchars($customer->name), self::revenue([$customer]));
        }

        return new Response("<!doctype html><title>Customers in $country</title>\n<table>\n$rows</table>\n");
    }

    /** @return array<string, list<Customer>> */
    private function byCountry(): array
    {
        $groups = [];
        foreach ($this->file->read() as $customer) {
            if (preg_match('/^[A-Z]{2}$/', $customer->country) === 1) {
                $groups[$customer->country][] = $customer;
            }
        }
        ksort($groups);

        return $groups;
    }

    /** @param list<Customer> $customers */
    private static function revenue(array $customers): string
    {
        return number_format(array_sum(array_column($customers, 'revenueCents')) / 100, 2);
    }
}
