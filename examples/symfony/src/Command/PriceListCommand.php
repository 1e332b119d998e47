<?php

declare(strict_types=1);

namespace Shop\Command;

use Symfony\Component\Console\Attribute\AsCommand;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Helper\Table;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

#[AsCommand(name: 'shop:price-list', description: 'Prints net and gross prices')]
final class PriceListCommand extends Command
{
    protected function configure(): void
    {
        $this->addArgument('net', InputArgument::IS_ARRAY | InputArgument::REQUIRED, 'Net prices')
            ->addOption('vat', null, InputOption::VALUE_REQUIRED, 'Value added tax in percent', '19');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $vat = (float) $input->getOption('vat');
        if ($vat < 0) {
            $output->writeln("A VAT of $vat percent makes no sense");

            return Command::INVALID;
        }
        $table = (new Table($output))->setHeaders(['net', "gross ($vat %)"]);
        foreach ($input->getArgument('net') as $net) {
            $table->addRow([number_format((float) $net, 2), number_format((float) $net * (1 + $vat / 100), 2)]);
        }
        $table->render();

        return Command::SUCCESS;
    }
}
