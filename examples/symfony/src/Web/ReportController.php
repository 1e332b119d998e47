<?php

declare(strict_types=1);

namespace Shop\Web;

use Shop\Customer\Customer;
use Shop\Customer\CustomerFile;
use Symfony\Bundle\FrameworkBundle\Controller\AbstractController;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\Routing\Annotation\Route;

final class ReportController extends AbstractController
{
    /** @var array<string, list<Customer>> the file as it is when the first page needs it: a run is one process */
    private array $customers = [];

    public function __construct(private readonly CustomerFile $file)
    {
    }

    #[Route('/health', name: 'health')]
    public function health(): Response
    {
        return new Response('ok', 200, ['Content-Type' => 'text/plain']);
    }

    #[Route('/report', name: 'overview')]
    public function overview(): Response
    {
        return $this->render('report/overview.html.twig', ['countries' => $this->byCountry()]);
    }

    #[Route('/report/{country}', name: 'country', requirements: ['country' => '[A-Z]{2}'])]
    public function country(string $country, Request $request): Response
    {
        $customers = $this->byCountry()[$country] ?? throw $this->createNotFoundException("No customer in $country");
        usort($customers, static fn (Customer $a, Customer $b): int => $b->revenueCents <=> $a->revenueCents);

        return $this->render('report/country.html.twig', [
            'country' => $country,
            'customers' => array_slice($customers, 0, $request->query->getInt('top', 10)),
        ]);
    }

    /** @return array<string, list<Customer>> */
    private function byCountry(): array
    {
        if ($this->customers === []) {
            foreach ($this->file->read() as $customer) {
                if (preg_match('/^[A-Z]{2}$/D', $customer->country) === 1) {
                    $this->customers[$customer->country][] = $customer;
                }
            }
            ksort($this->customers);
        }

        return $this->customers;
    }
}
