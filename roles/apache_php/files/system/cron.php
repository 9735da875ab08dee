<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// Runs a cron job of a site where this web server is the one that takes it: cron.php FILE JOB, as the site's user.

declare(strict_types=1);

// Seconds: for a server to answer, for which a lease holds without being renewed, and between two renewals.
const PATIENCE = 5;
const LEASE = 30;
const RENEWAL = 10;

/** Who runs a job: a tick is given once and never an earlier one after it, and none while the job still runs. */
interface Lease
{
    public function take(string $job, int $tick, string $server): bool;

    public function renew(string $job, int $tick, string $server, int $seconds): void;
}

/** A row for each job, in a database for nothing else. Time is the database's, so that all servers have the same. */
final class MysqlLease implements Lease
{
    private const TABLE = 'CREATE TABLE IF NOT EXISTS lease (job VARCHAR(64) NOT NULL PRIMARY KEY, tick BIGINT NOT NULL,'
        . ' server VARCHAR(255) NOT NULL, ends BIGINT NOT NULL)';
    private const NO_SUCH_TABLE = 1146;
    private PDO $database;

    public function __construct(array $place)
    {
        ini_set('mysqlnd.net_read_timeout', (string) PATIENCE);
        $address = sprintf('mysql:host=%s;port=%d;dbname=%s', $place['host'] ?? '127.0.0.1', $place['port'], $place['name']);
        $options = [PDO::ATTR_TIMEOUT => PATIENCE, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION];
        if (isset($place['ca_file'])) {
            $options[PDO::MYSQL_ATTR_SSL_CA] = $place['ca_file'];
        }
        $this->database = new PDO($address, $place['name'], $place['password'], $options);
    }

    public function take(string $job, int $tick, string $server): bool
    {
        $row = "INSERT IGNORE INTO lease VALUES (?, 0, '', 0)";
        try {
            $this->change($row, [$job]);
        } catch (PDOException $error) {
            if (($error->errorInfo[1] ?? 0) !== self::NO_SUCH_TABLE) {
                throw $error;
            }
            $this->database->exec(self::TABLE);
            $this->change($row, [$job]);
        }
        $take = 'UPDATE lease SET tick = ?, server = ?, ends = UNIX_TIMESTAMP() + ? WHERE job = ? AND tick < ? AND ends <= UNIX_TIMESTAMP()';
        return $this->change($take, [$tick, $server, LEASE, $job, $tick]) === 1;
    }

    public function renew(string $job, int $tick, string $server, int $seconds): void
    {
        $renew = 'UPDATE lease SET ends = UNIX_TIMESTAMP() + ? WHERE job = ? AND tick = ? AND server = ?';
        $this->change($renew, [$seconds, $job, $tick, $server]);
    }

    private function change(string $statement, array $values): int
    {
        $prepared = $this->database->prepare($statement);
        $prepared->execute($values);
        return $prepared->rowCount();
    }
}

/** A hash for each job, which has no end, so that no server that is short of memory takes it away. */
final class RedisLease implements Lease
{
    private const TAKE = <<<'LUA'
        local now = tonumber(redis.call('TIME')[1])
        local held = redis.call('HMGET', KEYS[1], 'tick', 'ends')
        if tonumber(held[1] or 0) >= tonumber(ARGV[1]) or tonumber(held[2] or 0) > now then return 0 end
        redis.call('HSET', KEYS[1], 'tick', ARGV[1], 'server', ARGV[2], 'ends', now + ARGV[3])
        return 1
        LUA;
    private const RENEW = <<<'LUA'
        local held = redis.call('HMGET', KEYS[1], 'tick', 'server')
        if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
        redis.call('HSET', KEYS[1], 'ends', tonumber(redis.call('TIME')[1]) + ARGV[3])
        return 1
        LUA;
    private Redis $client;
    private string $prefix;

    public function __construct(array $place)
    {
        $this->client = new Redis();
        $this->client->connect('127.0.0.1', $place['port'], PATIENCE, null, 0, PATIENCE);
        $this->client->auth([$place['user'] ?? $place['name'], $place['password']]);
        $this->prefix = $place['name'] . ':';
    }

    public function take(string $job, int $tick, string $server): bool
    {
        // What it was told in the second before a crash may be lost, and with it who has had this tick.
        $up = (int) ($this->client->info('server')['uptime_in_seconds'] ?? 0);
        if ($up < time() - $tick + 2) {
            throw new RuntimeException('Redis was started after this tick had begun, and may have forgotten who has run it');
        }
        return $this->script(self::TAKE, [$job, $tick, $server, LEASE]) === 1;
    }

    public function renew(string $job, int $tick, string $server, int $seconds): void
    {
        $this->script(self::RENEW, [$job, $tick, $server, $seconds]);
    }

    private function script(string $script, array $values): mixed
    {
        $values[0] = $this->prefix . $values[0];
        $answer = $this->client->eval($script, $values, 1);
        if ($this->client->getLastError() !== null) {
            throw new RuntimeException('Redis refused it: ' . $this->client->getLastError());
        }
        return $answer;
    }
}

/** Where no other server runs jobs. */
final class NoLease implements Lease
{
    public function take(string $job, int $tick, string $server): bool
    {
        return true;
    }

    public function renew(string $job, int $tick, string $server, int $seconds): void
    {
    }
}

/** Says what happened, for the journal. */
function say(string $text): void
{
    fwrite(STDERR, $text . "\n");
}

/** Whether a minute is one of the schedule's. */
function is_due(array $schedule, string $timezone, int $tick): bool
{
    $moment = (new DateTimeImmutable('@' . $tick))->setTimezone(new DateTimeZone($timezone));
    $fits = [];
    foreach (['minute' => 'i', 'hour' => 'G', 'day' => 'j', 'month' => 'n', 'weekday' => 'w'] as $field => $format) {
        $fits[$field] = $schedule[$field] === [] || in_array((int) $moment->format($format), $schedule[$field], true);
    }
    $day = $schedule['either'] ? $fits['day'] || $fits['weekday'] : $fits['day'] && $fits['weekday'];
    return $fits['minute'] && $fits['hour'] && $fits['month'] && $day;
}

/** What is wrong with the site on this server; empty when nothing is. */
function ailment(array $health): string
{
    $options = ['timeout' => PATIENCE, 'ignore_errors' => true, 'follow_location' => 0, 'protocol_version' => 1.1];
    $options['header'] = ['Host: ' . $health['host'], 'Connection: close', 'User-Agent: siteops.webcluster cron'];
    $page = @fopen("http://127.0.0.1:{$health['port']}{$health['path']}", 'r', false, stream_context_create(['http' => $options]));
    if ($page === false) {
        return 'does not answer';
    }
    $status = (int) (explode(' ', stream_get_meta_data($page)['wrapper_data'][0])[1] ?? 0);
    if ($status !== $health['status']) {
        return "answers $status, expected {$health['status']}";
    }
    $body = (string) stream_get_contents($page, 1024 * 1024);
    return $health['text'] === '' || str_contains($body, $health['text']) ? '' : "answers without the text '{$health['text']}'";
}

/** Runs the command to its end, and renews the lease meanwhile. Returns its exit code. */
function run(array $command, Lease $lease, string $job, int $tick, string $server): int
{
    putenv("WEBCLUSTER_TICK=$tick");
    $process = proc_open($command, [['file', '/dev/null', 'r'], STDOUT, STDERR], $pipes);
    if ($process === false) {
        return 127;
    }
    $next = hrtime(true) + RENEWAL * 1_000_000_000;
    while (($status = proc_get_status($process))['running']) {
        usleep(100_000);
        if (hrtime(true) > $next) {
            $next = hrtime(true) + RENEWAL * 1_000_000_000;
            try {
                $lease->renew($job, $tick, $server, LEASE);
            } catch (Throwable $error) {
                say('The lease could not be renewed, another server may start the next tick beside this one: ' . $error->getMessage());
            }
        }
    }
    try {
        $lease->renew($job, $tick, $server, 0);
    } catch (Throwable $error) {
        say('The lease could not be given back, it ends by itself: ' . $error->getMessage());
    }
    return $status['signaled'] ? 128 + $status['termsig'] : $status['exitcode'];
}

/** Returns the exit code: that of the job, 0 where another one runs it, 1 where nobody can know. */
function main(string $file, string $name): int
{
    $config = json_decode((string) file_get_contents($file), true, 32, JSON_THROW_ON_ERROR);
    $job = $config['jobs'][$name] ?? null;
    if ($job === null) {
        // Its timer is about to be removed.
        say('Left out: it is no job of the site any more.');
        return 0;
    }
    $tick = intdiv(time(), 60) * 60;
    if (time() - $tick > $config['grace'] || !is_due($job['schedule'], $job['timezone'], $tick)) {
        say('Left out: it was started too late for its minute.');
        return 0;
    }
    $ailment = ailment($config['health']);
    if ($ailment !== '') {
        say("Left to the other servers: the site's {$config['health']['path']} on this one $ailment.");
        return 0;
    }
    $place = $config['lease'];
    $lease = match ($place['engine']) {
        'mysql' => new MysqlLease($place),
        'redis' => new RedisLease($place),
        'none' => new NoLease(),
    };
    if (!$lease->take($name, $tick, $config['server'])) {
        say('Left to the server that has taken this tick, or still runs the one before.');
        return 0;
    }
    return run($job['command'], $lease, $name, $tick, $config['server']);
}

try {
    exit(main($argv[1], $argv[2]));
} catch (Throwable $error) {
    say('Not run, since it is not known whether another server does: ' . $error->getMessage());
    exit(1);
}
