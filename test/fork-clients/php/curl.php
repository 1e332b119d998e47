<?php

final class Web
{
    public static ?CurlHandle $handle = null;

    public static function get(string $path): string
    {
        self::$handle ??= curl_init();
        curl_setopt_array(self::$handle, [CURLOPT_URL => getenv('HTTP_URL') . $path, CURLOPT_RETURNTRANSFER => true]);
        return curl_exec(self::$handle);
    }
}

final class TryIt
{
    public function run(array $params): array
    {
        return ['n' => (int) Web::get("/{$params['n']}")];
    }
}

if (getenv('TRY') !== 'lazy') {
    Web::get('/0'); // its connection is kept in the handle
}
return getenv('TRY') === 'hooks' ? ['beforeFork' => static function (): void {
    Web::$handle = null;
}] : [];
