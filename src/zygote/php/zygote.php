<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/*
 * The warm process of a PHP pool, and the parent of its runs: docs/zygote.md, version 1.
 *
 * Started by the daemon, as the pool's user, with a listening Unix socket as descriptor 3 and the configuration in
 * ROCKSY_ZYGOTE. Needs PHP >= 8.2 with ffi, pcntl and posix, and a kernel with CONFIG_PROC_CHILDREN.
 */

foreach (['FFI', 'pcntl', 'posix'] as $extension) {
    if (!extension_loaded($extension)) {
        fwrite(STDERR, "the PHP extension $extension is missing; Rocksy's zygote needs it\n");
        exit(1);
    }
}
unset($extension);

foreach (['Config', 'Posix', 'Engine', 'Json', 'RunFile', 'progress', 'Failure', 'TestKill', 'Bootstrap', 'Connection',
    'Sessions', 'Poller', 'StartRequest', 'Run', 'Probe', 'Parking', 'Strays', 'Heap', 'UserCode', 'Rehearsal', 'Child',
    'Zygote'] as $file) {
    require __DIR__ . "/$file.php";
}
unset($file);

(static function (): never {
    try {
        $config = Config::take();
        TestKill::take();
        Posix::load();
        if (!Posix::setCloseOnExec(3)) {
            throw new \RuntimeException('descriptor 3, the listening socket, is not open');
        }
        // Daemons that the bootstrap starts by a double fork stay below us as well.
        Posix::$c->prctl(Posix::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        pcntl_signal(SIGINT, SIG_IGN);
        pcntl_signal(SIGHUP, SIG_IGN);
        Engine::calibrate();
        $inherited = Posix::openDescriptors();
    } catch (\RuntimeException $error) {
        fwrite(STDERR, "{$error->getMessage()}\n");
        exit(1);
    }
    $logCopies = Bootstrap::load($config->bootstrap);
    (new Zygote($config, $inherited, $logCopies))->serve();
})();
