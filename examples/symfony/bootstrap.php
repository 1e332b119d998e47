<?php

declare(strict_types=1);

// What a pool loads once and every run inherits: Symfony, this application's classes, its container.
// Nothing here may open a connection or a file for good: children would share it.

foreach (['Component/Serializer', 'Component/PropertyAccess', 'Component/PropertyInfo', 'Component/Validator', 'Component/Yaml', 'Component/Console', 'Bundle/FrameworkBundle', 'Bundle/TwigBundle'] as $package) {
    require_once "/usr/share/php/Symfony/$package/autoload.php";
}

spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'Shop\\')) {
        $file = __DIR__ . '/src/' . strtr(substr($class, 5), '\\', '/') . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});

Shop\App::boot();
