<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// An application as anybody writes it, with the variables that frameworks know.

declare(strict_types=1);

function database(string $of): PDO
{
    $address = sprintf('mysql:host=%s;port=%s;dbname=%s', getenv("{$of}_HOST"), getenv("{$of}_PORT"), getenv('DB_DATABASE'));
    $options = [
        PDO::ATTR_TIMEOUT => 2,
        PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
        PDO::MYSQL_ATTR_SSL_CA => getenv('MYSQL_ATTR_SSL_CA'),
    ];
    $database = new PDO($address, (string) getenv('DB_USERNAME'), (string) getenv('DB_PASSWORD'), $options);
    if ($of === 'DB') {
        $database->exec('CREATE TABLE IF NOT EXISTS words (name VARCHAR(32) PRIMARY KEY, word VARCHAR(255) NOT NULL)');
    }

    return $database;
}

function one(PDO $database, string $statement): mixed
{
    return $database->query($statement)->fetch(PDO::FETCH_NUM)[0] ?? null;
}
