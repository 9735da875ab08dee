<?php
// SPDX-License-Identifier: GPL-3.0-or-later

declare(strict_types=1);

require __DIR__ . '/redis.php';

redis('REDIS_PORT')->incr(key_of('jobs'));
