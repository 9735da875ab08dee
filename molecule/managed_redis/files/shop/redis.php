<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// An application as anybody writes it: it knows its environment, and nothing of TLS.

declare(strict_types=1);

function redis(string $port): Redis
{
    $redis = new Redis();
    $redis->connect((string) getenv('REDIS_HOST'), (int) getenv($port), 2, null, 0, 2);
    $redis->auth([(string) getenv('REDIS_USERNAME'), (string) getenv('REDIS_PASSWORD')]);

    return $redis;
}

function key_of(string $name): string
{
    return getenv('REDIS_PREFIX') . $name;
}
