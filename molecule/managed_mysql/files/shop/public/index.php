<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// Writes what it is told, and tells what it reads, where, and how.

declare(strict_types=1);

require dirname(__DIR__) . '/database.php';

const SAID = "SELECT word FROM words WHERE name = 'said'";

$writer = database('DB');
if (isset($_GET['say'])) {
    $writer->prepare("REPLACE INTO words VALUES ('said', ?)")->execute([(string) $_GET['say']]);
}
$written = one($writer, SAID);
$jobs = (int) one($writer, "SELECT word FROM words WHERE name = 'jobs'");
$servers = [(int) one($writer, 'SELECT @@server_id')];
$ciphers = [one($writer, "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_VERSION'")];
$reader = database('DB_READ');
$servers[] = (int) one($reader, 'SELECT @@server_id');
$ciphers[] = one($reader, "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_VERSION'");
header('Content-Type: application/json');
echo json_encode([
    'written' => $written,
    'read' => one($reader, SAID),
    'jobs' => $jobs,
    'servers' => $servers,
    'tls' => $ciphers,
], JSON_THROW_ON_ERROR);
