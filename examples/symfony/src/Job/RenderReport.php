<?php

declare(strict_types=1);

namespace Shop\Job;

use Shop\App;
use Shop\Options;

/**
 * Renders the customer report page by page through the kernel: router, controllers, templates and events as on the web.
 * Parameters: `top` (customers per country, default 10), `output` (a folder for the pages; none: they are only counted).
 */
final class RenderReport
{
    public function run(mixed $params): array
    {
        $options = Options::of($params);
        $output = $options->string('output', '');

        $overview = $this->render(App::router()->generate('overview'));
        preg_match_all('/href="([^"]+)"/', $overview, $links);
        $pages = ['overview' => $overview];
        foreach ($links[1] as $number => $url) {
            $pages[basename($url)] = $this->render($url . '?top=' . $options->int('top', 10));
            App::progress(intdiv(100 * ($number + 1), count($links[1])), $url);
        }

        $bytes = 0;
        foreach ($pages as $name => $html) {
            $bytes += strlen($html);
            if ($output !== '') {
                file_put_contents("$output/$name.html", $html) === strlen($html) || throw new \RuntimeException("Can't write to $output");
            }
        }

        return ['pages' => count($pages), 'bytes' => $bytes];
    }

    private function render(string $url): string
    {
        $response = App::page($url);
        echo "{$response->getStatusCode()} $url ", strlen((string) $response->getContent()), " bytes\n";

        return (string) $response->getContent();
    }
}
