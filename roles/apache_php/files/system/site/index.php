<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// What a site sees of its own: the release it runs, and its databases as its own users. Run as the site, for the verdict.

declare(strict_types=1);

const SECONDS = 2;

/** Calls a look; what it throws is told without what it was called with. */
function look(callable $look): array
{
    $start = hrtime(true);
    try {
        $found = $look();
    } catch (Throwable $error) {
        return ['ok' => false, 'error' => substr($error->getMessage(), 0, 200)];
    }
    return ['ok' => true, 'ms' => intdiv(hrtime(true) - $start, 1_000_000)] + $found;
}

/** The account can come in, and sees its own database. */
function mysql(string $host, string $port): array
{
    $address = sprintf('mysql:host=%s;port=%s;dbname=%s', getenv($host), getenv($port), getenv('DB_DATABASE'));
    $options = [PDO::ATTR_TIMEOUT => SECONDS, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION];
    if (getenv('MYSQL_ATTR_SSL_CA') !== false) {
        $options[PDO::MYSQL_ATTR_SSL_CA] = getenv('MYSQL_ATTR_SSL_CA');
    }
    $connection = new PDO($address, (string) getenv('DB_USERNAME'), (string) getenv('DB_PASSWORD'), $options);
    [$host, $only_reads] = $connection->query('SELECT @@hostname, @@read_only')->fetch(PDO::FETCH_NUM);
    return ['host' => $host, 'role' => in_array((string) $only_reads, ['0', 'OFF'], true) ? 'primary' : 'replica'];
}

/** The user can come in, and use its own keys; the primary is written to. */
function redis(string $port, bool $write): array
{
    $client = new Redis();
    $client->connect((string) getenv('REDIS_HOST'), (int) getenv($port), SECONDS, null, 0, SECONDS);
    $client->auth([(string) getenv('REDIS_USERNAME'), (string) getenv('REDIS_PASSWORD')]);
    $key = getenv('REDIS_PREFIX') . 'webcluster:verdict';
    if ($write && $client->setex($key, 60, '1') !== true) {
        throw new RuntimeException('a key of the site could not be written: ' . $client->getLastError());
    }
    $client->get($key);
    if ($client->getLastError() !== null) {
        throw new RuntimeException('a key of the site could not be read: ' . $client->getLastError());
    }
    return [];
}

$looks = [];
if (getenv('DB_DATABASE') !== false) {
    $looks += [
        'mysql_write' => static fn (): array => mysql('DB_HOST', 'DB_PORT'),
        'mysql_read' => static fn (): array => mysql('DB_READ_HOST', 'DB_READ_PORT'),
    ];
}
if (getenv('REDIS_PREFIX') !== false) {
    $looks += ['redis_write' => static fn (): array => redis('REDIS_PORT', true), 'redis_read' => static fn (): array => redis('REDIS_READ_PORT', false)];
}
header('Content-Type: application/json');
echo json_encode([
    'site' => getenv('SITE_NAME'),
    'user' => posix_getpwuid(posix_geteuid())['name'] ?? posix_geteuid(),
    'release' => basename((string) @readlink('/srv/webcluster/' . getenv('SITE_NAME') . '/current')),
    'looks' => array_map('look', $looks),
], JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
