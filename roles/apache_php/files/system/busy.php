<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// Whether PHP answers anybody: the processes of the pages are asked at a socket of PHP-FPM that no page can keep busy.

declare(strict_types=1);

/** What PHP-FPM tells of each process of the pages, as text; empty when it tells nothing. */
function pool_status(string $socket): string
{
    $record = static fn (int $type, string $content): string => pack('C2n2x2', 1, $type, 1, strlen($content)) . $content;
    $parameters = '';
    foreach (['REQUEST_METHOD' => 'GET', 'SCRIPT_NAME' => '/status', 'SCRIPT_FILENAME' => '/status', 'QUERY_STRING' => 'full'] as $name => $value) {
        $parameters .= chr(strlen($name)) . chr(strlen($value)) . $name . $value;
    }
    $stream = @stream_socket_client("unix://$socket", timeout: 0.5);
    if ($stream === false) {
        return '';
    }
    stream_set_timeout($stream, 0, 500_000);
    // FastCGI: begin as responder, the parameters and their end, an empty body.
    fwrite($stream, $record(1, pack('nx6', 1)) . $record(4, $parameters) . $record(4, '') . $record(5, ''));
    $bytes = (string) stream_get_contents($stream);
    $text = '';
    for ($at = 0; $at + 8 <= strlen($bytes); $at += 8 + $head['length'] + $head['padding']) {
        $head = unpack('Cversion/Ctype/nrequest/nlength/Cpadding', $bytes, $at);
        $text .= $head['type'] === 6 ? substr($bytes, $at + 8, $head['length']) : '';
    }
    return $text;
}

/** Seconds of the shortest wait, where no pool has anybody for a new page within its limit; 0 where one has. */
function stuck_seconds(string $pools): float
{
    $stuck = [];
    foreach (explode(' ', $pools) as $pool) {
        [$socket, $limit] = explode('=', $pool);
        $seconds = busy_seconds(pool_status($socket));
        if ($seconds < (int) $limit) {
            return 0.0;
        }
        $stuck[] = $seconds;
    }
    return min($stuck);
}

/** Seconds for which every process has been at the same page; 0 while one is free, or when PHP-FPM tells nothing. */
function busy_seconds(string $status): float
{
    // A request can add lines to this text, but none that makes the processes look busier.
    preg_match_all('/^request duration: +(\d+)\r?$/m', $status, $durations);
    $is_free = $durations[1] === [] || preg_match('/^state: +Idle\r?$/m', $status) === 1;
    return $is_free ? 0.0 : min(array_map('intval', $durations[1])) / 1e6;
}
