<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// Does PHP work here? Databases are left out on purpose: their failure must not take every web server away.

declare(strict_types=1);

header('Content-Type: text/plain; charset=utf-8');
$missing = array_filter(['pdo_mysql', 'redis'], static fn (string $name): bool => !extension_loaded($name));
if ($missing !== []) {
    http_response_code(503);
    echo 'PHP extension not loaded: ' . implode(', ', $missing) . "\n";
    exit;
}
echo "ok\n";
