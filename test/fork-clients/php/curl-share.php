<?php

final class Web
{
    public static ?CurlShareHandle $share = null;

    public static function get(string $path): string
    {
        if (self::$share === null) {
            self::$share = curl_share_init();
            curl_share_setopt(self::$share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT);
        }
        $handle = curl_init(getenv('HTTP_URL') . $path);
        curl_setopt_array($handle, [CURLOPT_SHARE => self::$share, CURLOPT_RETURNTRANSFER => true]);
        return curl_exec($handle);
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
    Web::get('/0'); // its connection is kept in the share handle, though the handle is gone
}
return getenv('TRY') === 'hooks' ? ['beforeFork' => static function (): void {
    Web::$share = null;
}] : [];
