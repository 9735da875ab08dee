<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// Writes what it is told, and tells what it reads.

declare(strict_types=1);

require dirname(__DIR__) . '/redis.php';

session_start();
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
$writer = redis('REDIS_PORT');
if (isset($_GET['say'])) {
    $writer->set(key_of('said'), (string) $_GET['say']);
}
header('Content-Type: application/json');
echo json_encode([
    'visits' => $_SESSION['visits'],
    'written' => $writer->get(key_of('said')),
    'read' => redis('REDIS_READ_PORT')->get(key_of('said')),
    'jobs' => (int) $writer->get(key_of('jobs')),
], JSON_THROW_ON_ERROR);
