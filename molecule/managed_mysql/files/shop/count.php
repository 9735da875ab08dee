<?php
// SPDX-License-Identifier: GPL-3.0-or-later

declare(strict_types=1);

require __DIR__ . '/database.php';

database('DB')->exec("INSERT INTO words VALUES ('jobs', '1') ON DUPLICATE KEY UPDATE word = word + 1");
