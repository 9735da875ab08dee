<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// Entry of the demo: the page, its form, and the JSON interface that the collection's checks use.

declare(strict_types=1);

namespace Demo;

require __DIR__ . '/../lib.php';

/** @param array<string, mixed> $data */
function answer(int $status, array $data): never
{
    http_response_code($status);
    header('Content-Type: application/json; charset=utf-8');
    echo json_encode($data, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE) . "\n";
    exit;
}

/** A browser says where a form came from; a form of another site is refused. */
function fromOurselves(): bool
{
    if (!in_array($_SERVER['HTTP_SEC_FETCH_SITE'] ?? 'same-origin', ['same-origin', 'none'], true)) {
        return false;
    }
    $origin = $_SERVER['HTTP_ORIGIN'] ?? null;

    return $origin === null || preg_replace('#^https?://#', '', $origin) === ($_SERVER['HTTP_HOST'] ?? '');
}

/** Text of a new item, from JSON or from a form. */
function postedText(): string
{
    $text = $_POST['text'] ?? null;
    if (str_starts_with($_SERVER['CONTENT_TYPE'] ?? '', 'application/json')) {
        $body = json_decode((string) file_get_contents('php://input', false, null, 0, 65536), true);
        $text = is_array($body) ? $body['text'] ?? null : null;
    }
    if (!is_string($text)) {
        throw new BadInput("The field 'text' is missing.");
    }

    return $text;
}

/** @return array<string, mixed> what one backend says, or why it says nothing */
function probe(callable $ask): array
{
    try {
        return ['ok' => true] + $ask();
    } catch (Unavailable $error) {
        return ['ok' => false, 'error' => $error->getMessage()];
    }
}

/** @return array<string, array<string, mixed>> */
function backends(Store $store): array
{
    return [
        'mysql_read' => probe(static fn (): array => $store->mysqlInfo('read')),
        'mysql_write' => probe(static fn (): array => $store->mysqlInfo('write')),
        'redis_read' => probe(static fn (): array => $store->redisInfo('read')),
        'redis_write' => probe(static fn (): array => $store->redisInfo('write')),
    ];
}

function api(Store $store, string $method, string $path): never
{
    if ($path === '/api/status' && $method === 'GET') {
        $backends = backends($store);
        $ok = !in_array(false, array_column($backends, 'ok'), true);
        answer($ok ? 200 : 503, ['ok' => $ok, 'server' => $store->server()] + $backends);
    }
    if ($path === '/api/items' && $method === 'POST') {
        answer(201, $store->add(postedText()));
    }
    if ($path === '/api/items' && $method === 'GET') {
        answer(200, ['items' => $store->latest(10), 'served_by' => $store->server()]);
    }
    if (preg_match('#^/api/items/(\d{1,18})$#', $path, $match) && $method === 'GET') {
        $from = $_GET['from'] ?? 'auto';
        if (!in_array($from, ['auto', 'replica', 'primary', 'cache'], true)) {
            throw new BadInput("from: expected 'auto', 'replica', 'primary' or 'cache'.");
        }
        $item = $store->item((int) $match[1], $from);
        if ($item === null) {
            answer(404, ['error' => "Item $match[1] is not there.", 'from' => $from, 'served_by' => $store->server()]);
        }
        answer(200, $item + ['from' => $from, 'served_by' => $store->server()]);
    }
    answer(404, ['error' => 'No such address: try /api/status, /api/items or /api/items/<id>.']);
}

header('Cache-Control: no-store');
// Without a referrer a browser hides where a form comes from, even from its own site.
header('Referrer-Policy: same-origin');
header("Content-Security-Policy: default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");

$method = $_SERVER['REQUEST_METHOD'] === 'HEAD' ? 'GET' : $_SERVER['REQUEST_METHOD'];
$path = (string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$isApi = str_starts_with($path, '/api/');
$store = null;
$notice = '';
try {
    if ($method === 'POST' && !fromOurselves()) {
        answer(403, ['error' => 'This form came from another site.']);
    }
    $store = new Store();
    if ($isApi) {
        api($store, $method, $path);
    }
    if ($path !== '/') {
        http_response_code(404);
        header('Content-Type: text/plain; charset=utf-8');
        exit("Nothing here. The page is at /\n");
    }
    if ($method === 'POST') {
        $item = $store->add(postedText());
        header('Location: /?written=' . $item['id'] . '&by=' . rawurlencode($item['server']) . '#items', true, 303);
        exit;
    }
    if ($method !== 'GET') {
        header('Allow: GET, HEAD, POST');
        answer(405, ['error' => 'Only GET and POST are understood here.']);
    }
} catch (BadInput $error) {
    if ($isApi) {
        answer(400, ['error' => $error->getMessage()]);
    }
    http_response_code(400);
    $notice = $error->getMessage();
} catch (Unavailable $error) {
    if ($isApi) {
        answer(503, ['error' => $error->getMessage(), 'served_by' => $store?->server()]);
    }
    http_response_code(503);
    $notice = $error->getMessage();
} catch (\Throwable $error) {
    error_log('demo: ' . get_class($error) . ': ' . $error->getMessage() . ' at ' . $error->getFile() . ':' . $error->getLine());
    answer(500, ['error' => 'The demo failed; the reason is in the error log of this web server.']);
}
require __DIR__ . '/../page.php';
