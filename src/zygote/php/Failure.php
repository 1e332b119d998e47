<?php

declare(strict_types=1);

namespace Rocksy\Zygote;

/** How failures of user code read. */
final class Failure
{
    private const FATAL = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR;

    /** As PHP prints an uncaught exception (zend_exception_error). */
    public static function trace(\Throwable $error): string
    {
        try {
            $text = (string) $error; // a class may have a __toString() of its own
        } catch (\Throwable) {
            $text = self::line($error);
        }
        // The frames below run() are ours and say nothing: "#7 {main}" becomes the next after the user's last one.
        $ours = '(?:' . preg_quote(__DIR__, '~') . '/\w+\.php\(|\[internal function\]: Rocksy\\\\Zygote\\\\)';
        $text = preg_replace("~^#(\d+) $ours.*\n(?:#\d+ $ours.*\n)*#\d+ \{main\}~m", '#$1 {main}', $text) ?? $text;
        return "PHP Fatal error:  Uncaught $text\n  thrown in {$error->getFile()} on line {$error->getLine()}";
    }

    public static function line(\Throwable $error): string
    {
        $class = strstr($error::class, "\0", true) ?: $error::class; // class@anonymous\0/path
        return "$class: {$error->getMessage()}";
    }

    /** The message of the fatal error that is ending this process. */
    public static function fatalError(): ?string
    {
        $error = error_get_last();
        return $error !== null && ($error['type'] & self::FATAL) !== 0 ? $error['message'] : null;
    }
}
