<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// The demo's data: items in MySQL (written to the primary, read from a replica), cached in Redis.

declare(strict_types=1);

namespace Demo;

const KEEP_ITEMS = 100;
const MAX_TEXT = 200;
const CACHE_SECONDS = 300;
const CONNECT_SECONDS = 1;
// Once a page has waited this long for dead servers, it asks no further ones: the load balancer waits about 3 s.
const PATIENCE_SECONDS = 1.2;

/** A backend that did not answer; the text is fit for the page. */
final class Unavailable extends \RuntimeException
{
}

/** Wrong input; the text is fit for the page. */
final class BadInput extends \RuntimeException
{
}

final class Store
{
    private string $prefix;
    private float $started;
    /** @var array<string, \PDO|Unavailable> */
    private array $mysql = [];
    /** @var array<string, \Redis|Unavailable> */
    private array $redis = [];
    /** @var array<string, array{host: string, role: string}> */
    private array $mysqlInfo = [];

    public function __construct()
    {
        $this->started = microtime(true);
        if (getenv('DB_DATABASE') === false || getenv('REDIS_PREFIX') === false) {
            throw new Unavailable('The demo needs a database and Redis: its site has not got both.');
        }
        $this->prefix = (string) getenv('REDIS_PREFIX');
    }

    /** The web server's name, as the visitor sees it in X-Served-By. */
    public function server(): string
    {
        return (string) ($_SERVER['SERVED_BY'] ?? gethostname());
    }

    /** @return array{host: string, role: string} name and role of the MySQL server behind 'read' or 'write' */
    public function mysqlInfo(string $side): array
    {
        $this->mysql($side);

        return $this->mysqlInfo[$side];
    }

    /** @return array{host: string, role: string} address and role of the Redis server behind 'read' or 'write' */
    public function redisInfo(string $side): array
    {
        $redis = $this->redis($side);
        try {
            // Through the proxy, the server's own end of the connection tells which server it is.
            $client = $redis->rawCommand('CLIENT', 'INFO');
            preg_match('/ laddr=(\S+):\d+/', is_string($client) ? $client : '', $match);

            return ['host' => $match[1] ?? 'Redis', 'role' => $this->redisRole($redis)];
        } catch (\RedisException $error) {
            $this->redis[$side] = $this->unavailable("Redis ($side)", $error);
            throw $this->redis[$side];
        }
    }

    /** 'unknown' when the account may not ask. */
    private function redisRole(\Redis $redis): string
    {
        try {
            $reply = $redis->rawCommand('ROLE');
        } catch (\RedisException $error) {
            if (str_starts_with($error->getMessage(), 'NOPERM')) {
                return 'unknown';
            }
            throw $error;
        }
        $role = is_array($reply) ? (string) ($reply[0] ?? '') : '';

        return ['master' => 'primary', 'slave' => 'replica'][$role] ?? 'unknown';
    }

    /**
     * Store an item on the primary. The cache is left alone: the first read fills it.
     *
     * @return array{id: int, text: string, server: string, written_to: string}
     */
    public function add(string $text): array
    {
        $text = self::cleanText($text);
        $pdo = $this->mysql('write');
        try {
            try {
                $id = $this->insert($pdo, $text);
            } catch (\PDOException $error) {
                if (!self::tableMissing($error)) {
                    throw $error;
                }
                $pdo->exec(
                    'CREATE TABLE IF NOT EXISTS items (
                        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
                        text VARCHAR(255) NOT NULL,
                        server VARCHAR(255) NOT NULL,
                        created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
                    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4'
                );
                $id = $this->insert($pdo, $text);
            }
            $pdo->prepare('DELETE FROM items WHERE id <= ?')->execute([$id - KEEP_ITEMS]);
        } catch (\PDOException $error) {
            throw $this->unavailable('MySQL (write)', $error);
        }

        return ['id' => $id, 'text' => $text, 'server' => $this->server(), 'written_to' => $this->mysqlInfo['write']['host']];
    }

    /**
     * Read one item from 'replica', 'primary', 'cache', or from 'auto': cache first, then replica, then primary.
     *
     * @return array<string, mixed>|null
     */
    public function item(int $id, string $from): ?array
    {
        if ($from === 'cache') {
            return $this->cached([$id])[$id] ?? null;
        }
        if ($from !== 'auto') {
            return $this->select([$id], $from === 'primary' ? 'write' : 'read')[$id] ?? null;
        }
        $items = $this->itemsById([$id]);
        if ($items === []) {
            // The replica may be behind for a moment.
            $items = $this->select([$id], 'write');
            $this->fillCache($items);
        }

        return $items[$id] ?? null;
    }

    /** @return list<array<string, mixed>> the newest items, each with its source */
    public function latest(int $count): array
    {
        $ids = $this->newestIds($count);
        $items = $this->itemsById($ids);

        return array_values(array_filter(array_map(static fn (int $id): ?array => $items[$id] ?? null, $ids)));
    }

    /** @return array<string, int> the web servers seen within the last ten minutes, each with the seconds since then */
    public function webServers(): array
    {
        $servers = [];
        try {
            $now = time();
            $write = $this->redis('write');
            $write->zAdd($this->prefix . 'web', $now, $this->server());
            $write->expire($this->prefix . 'web', 600);
            $seen = $this->redis('read')->zRangeByScore($this->prefix . 'web', (string) ($now - 600), '+inf', ['withscores' => true]);
            foreach (is_array($seen) ? $seen : [] as $name => $time) {
                $servers[$name] = max(0, $now - (int) $time);
            }
        } catch (Unavailable | \RedisException) {
            // Only the picture is poorer.
        }
        $servers[$this->server()] = 0;
        ksort($servers, SORT_NATURAL);

        return $servers;
    }

    public static function cleanText(string $text): string
    {
        if (!preg_match('//u', $text)) {
            throw new BadInput('The text is not valid UTF-8.');
        }
        $text = trim((string) preg_replace('/[\p{C}\s]+/u', ' ', $text));
        if ($text === '') {
            throw new BadInput('The text is empty: write a few words.');
        }
        if (preg_match_all('/./u', $text) > MAX_TEXT) {
            throw new BadInput('The text is longer than ' . MAX_TEXT . ' characters: shorten it.');
        }

        return $text;
    }

    /**
     * Cache-aside: from Redis what is there, from MySQL the rest, which then goes into Redis.
     *
     * @param list<int> $ids
     * @return array<int, array<string, mixed>>
     */
    private function itemsById(array $ids): array
    {
        try {
            $items = $this->cached($ids);
        } catch (Unavailable) {
            $items = [];
        }
        $missing = array_values(array_diff($ids, array_keys($items)));
        if ($missing !== []) {
            $found = $this->withFallback(fn (string $side): array => $this->select($missing, $side));
            $this->fillCache($found);
            $items += $found;
        }

        return $items;
    }

    /** @return list<int> */
    private function newestIds(int $count): array
    {
        return $this->withFallback(function (string $side) use ($count): array {
            $rows = $this->rows($side, 'SELECT id FROM items ORDER BY id DESC LIMIT ' . $count, []);

            return array_map(static fn (array $row): int => (int) $row['id'], $rows);
        });
    }

    /** Ask the replica, and the primary only when no replica answers. */
    private function withFallback(callable $ask): array
    {
        try {
            return $ask('read');
        } catch (Unavailable) {
            return $ask('write');
        }
    }

    /**
     * @param list<int> $ids
     * @return array<int, array<string, mixed>>
     */
    private function cached(array $ids): array
    {
        if ($ids === []) {
            return [];
        }
        $redis = $this->redis('read');
        try {
            $values = $redis->mGet(array_map(fn (int $id): string => "{$this->prefix}item:$id", $ids));
        } catch (\RedisException $error) {
            $this->redis['read'] = $this->unavailable('Redis (read)', $error);
            throw $this->redis['read'];
        }
        $items = [];
        foreach (is_array($values) ? $values : [] as $index => $value) {
            $item = is_string($value) ? json_decode($value, true) : null;
            if (is_array($item)) {
                $items[$ids[$index]] = $item + ['source' => 'redis', 'mysql_host' => null, 'mysql_role' => null];
            }
        }

        return $items;
    }

    /** @param array<int, array<string, mixed>> $items */
    private function fillCache(array $items): void
    {
        try {
            $redis = $items === [] ? null : $this->redis('write');
            foreach ($items as $id => $item) {
                $value = array_intersect_key($item, ['id' => 1, 'text' => 1, 'server' => 1, 'created' => 1]);
                $redis->setex("{$this->prefix}item:$id", CACHE_SECONDS, json_encode($value, JSON_THROW_ON_ERROR));
            }
        } catch (\RedisException $error) {
            $this->redis['write'] = $this->unavailable('Redis (write)', $error);
        } catch (Unavailable) {
            // An item that is not cached is read from MySQL again.
        }
    }

    /**
     * @param list<int> $ids
     * @return array<int, array<string, mixed>>
     */
    private function select(array $ids, string $side): array
    {
        if ($ids === []) {
            return [];
        }
        $marks = implode(', ', array_fill(0, count($ids), '?'));
        $items = [];
        foreach ($this->rows($side, "SELECT id, text, server, created FROM items WHERE id IN ($marks)", $ids) as $row) {
            $items[(int) $row['id']] = [
                'id' => (int) $row['id'],
                'text' => (string) $row['text'],
                'server' => (string) $row['server'],
                'created' => (string) $row['created'],
                'source' => 'mysql',
                'mysql_host' => $this->mysqlInfo[$side]['host'],
                'mysql_role' => $this->mysqlInfo[$side]['role'],
            ];
        }

        return $items;
    }

    /**
     * @param list<int> $values
     * @return list<array<string, mixed>>
     */
    private function rows(string $side, string $sql, array $values): array
    {
        $pdo = $this->mysql($side);
        try {
            $statement = $pdo->prepare($sql);
            $statement->execute($values);

            return $statement->fetchAll(\PDO::FETCH_ASSOC);
        } catch (\PDOException $error) {
            if (self::tableMissing($error)) {
                // Nothing has been written yet.
                return [];
            }
            $this->mysql[$side] = $this->unavailable("MySQL ($side)", $error);
            throw $this->mysql[$side];
        }
    }

    private function insert(\PDO $pdo, string $text): int
    {
        $pdo->prepare('INSERT INTO items (text, server) VALUES (?, ?)')->execute([$text, $this->server()]);

        return (int) $pdo->lastInsertId();
    }

    private static function tableMissing(\PDOException $error): bool
    {
        return ($error->errorInfo[1] ?? 0) === 1146;
    }

    private function mysql(string $side): \PDO
    {
        $known = $this->mysql[$side] ?? null;
        if ($known === null) {
            $this->mysql[$side] = $known = $this->connectMysql($side);
        }
        if ($known instanceof Unavailable) {
            throw $known;
        }

        return $known;
    }

    private function connectMysql(string $side): \PDO|Unavailable
    {
        if ($this->outOfPatience()) {
            return new Unavailable("MySQL ($side) was not asked, because other servers did not answer in time.");
        }
        $port = getenv($side === 'write' ? 'DB_PORT' : 'DB_READ_PORT');
        $dsn = sprintf('mysql:host=%s;port=%s;dbname=%s;charset=utf8mb4', getenv('DB_HOST'), $port, getenv('DB_DATABASE'));
        try {
            $pdo = new \PDO($dsn, (string) getenv('DB_USERNAME'), (string) getenv('DB_PASSWORD'), [
                \PDO::ATTR_TIMEOUT => CONNECT_SECONDS,
                \PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION,
                \PDO::ATTR_EMULATE_PREPARES => false,
            ]);
            $row = $pdo->query('SELECT @@hostname AS host, @@global.read_only AS read_only')->fetch(\PDO::FETCH_ASSOC);
        } catch (\PDOException $error) {
            return $this->unavailable("MySQL ($side)", $error);
        }
        $writable = in_array(strtoupper((string) $row['read_only']), ['0', 'OFF'], true);
        $this->mysqlInfo[$side] = ['host' => (string) $row['host'], 'role' => $writable ? 'primary' : 'replica'];

        return $pdo;
    }

    private function redis(string $side): \Redis
    {
        $known = $this->redis[$side] ?? null;
        if ($known === null) {
            $this->redis[$side] = $known = $this->connectRedis($side);
        }
        if ($known instanceof Unavailable) {
            throw $known;
        }

        return $known;
    }

    private function connectRedis(string $side): \Redis|Unavailable
    {
        if ($this->outOfPatience()) {
            return new Unavailable("Redis ($side) was not asked, because other servers did not answer in time.");
        }
        $login = [(string) getenv('REDIS_USERNAME'), (string) getenv('REDIS_PASSWORD')];
        // The last number bounds each read.
        $where = [(string) getenv('REDIS_HOST'), (int) getenv($side === 'write' ? 'REDIS_PORT' : 'REDIS_READ_PORT'), 0.5, $side, 0, 0.5];
        $redis = new \Redis();
        try {
            // Kept from one request to the next, as a login costs more than the page. The data proxy on this host closes one whose server
            // is gone, which is seen without asking.
            ini_set('redis.pconnect.echo_check_liveness', '0');
            if (@$redis->pconnect(...[...$where, ['auth' => $login]])) {
                return $redis;
            }
            // It does not tell why.
            $redis = new \Redis();
            $where[3] = null;
            if (!@$redis->connect(...$where)) {
                return $this->unavailable("Redis ($side)", new \RedisException('connect failed'));
            }
            if ($redis->auth($login) === false) {
                return $this->unavailable("Redis ($side)", new \RedisException('WRONGPASS'));
            }
        } catch (\RedisException $error) {
            return $this->unavailable("Redis ($side)", $error);
        }

        return $redis;
    }

    private function outOfPatience(): bool
    {
        return microtime(true) - $this->started > PATIENCE_SECONDS;
    }

    /** The log gets the driver's words; the page gets ours. */
    private function unavailable(string $what, \Exception $error): Unavailable
    {
        error_log("demo: $what: " . $error->getMessage());
        $code = $error instanceof \PDOException ? (int) ($error->errorInfo[1] ?? $error->getCode()) : 0;
        if (in_array($code, [1044, 1045, 1142, 1698], true) || preg_match('/WRONGPASS|NOAUTH|NOPERM/', $error->getMessage())) {
            return new Unavailable("$what refused the application's account.");
        }
        if ($code === 1049) {
            return new Unavailable("$what does not have the application's database.");
        }
        if (in_array($code, [1290, 1836], true) || str_starts_with($error->getMessage(), 'READONLY')) {
            return new Unavailable("$what is read-only.");
        }

        return new Unavailable("$what does not answer.");
    }
}
