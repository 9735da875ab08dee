<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// Does PHP work here, and what it needs on this host? Databases are left out on purpose: their failure must not take every web
// server away.

declare(strict_types=1);

require __DIR__ . '/busy.php';

const SECONDS = 0.4;

function answers(string $url): bool
{
    ['host' => $host, 'port' => $port, 'path' => $path] = parse_url($url) + ['port' => 80, 'path' => '/'];
    $socket = @stream_socket_client("tcp://$host:$port", $code, $message, SECONDS);
    if ($socket === false) {
        return false;
    }
    stream_set_timeout($socket, 0, (int) (SECONDS * 1e6));
    fwrite($socket, "GET $path HTTP/1.0\r\n\r\n");

    return preg_match('#^HTTP/1\.[01] 200 #', (string) fgets($socket)) === 1;
}

header('Content-Type: text/plain; charset=utf-8');
$extensions = array_filter(['pdo_mysql', 'redis'], static fn (string $name): bool => !extension_loaded($name));
$urls = json_decode((string) file_get_contents(__DIR__ . '/health.json'), true, 2, JSON_THROW_ON_ERROR);
$silent = array_filter($urls, static fn (string $url): bool => !answers($url));
$seconds = stuck_seconds((string) getenv('WEBCLUSTER_POOLS'));
$reasons = [
    ...array_map(static fn (string $name): string => "PHP extension not loaded: $name\n", $extensions),
    ...array_map(static fn (string $url): string => "no answer: $url\n", $silent),
    ...($seconds > 0 ? [sprintf("every PHP process busy with one page for %d s\n", $seconds)] : []),
];
if ($reasons !== []) {
    http_response_code(503);
    echo implode('', $reasons);
    exit;
}
echo "ok\n";
