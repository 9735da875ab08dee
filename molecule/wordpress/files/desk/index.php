<?php
// Asks for what is its own, and for what is the blog's; the answer holds what came of each.
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

function tried(callable $try): string
{
    error_clear_last();
    try {
        $found = $try();
    } catch (Throwable $error) {
        return 'refused: ' . $error->getMessage();
    }
    return is_string($found) && $found !== '' ? "read: $found" : 'refused: ' . (error_get_last()['message'] ?? 'nothing');
}

function ask(string $query): callable
{
    return function () use ($query): string {
        $login = [getenv('DB_HOST'), getenv('DB_USERNAME'), getenv('DB_PASSWORD'), getenv('DB_DATABASE'), (int) getenv('DB_PORT')];
        return (string) (new mysqli(...$login))->query($query)->fetch_row()[0];
    };
}

function get(string $key): callable
{
    return function () use ($key): string {
        $redis = new Redis();
        $redis->connect(getenv('REDIS_HOST'), (int) getenv('REDIS_PORT'));
        $redis->auth([getenv('REDIS_USERNAME'), getenv('REDIS_PASSWORD')]);
        $redis->set(getenv('REDIS_PREFIX') . 'own', 'mine');
        return (string) $redis->get($key);
    };
}

function content(string $path): callable
{
    return fn (): string => (string) @file_get_contents($path);
}

header('Content-Type: application/json');
echo json_encode([
    'site' => getenv('SITE_NAME'),
    'own database' => tried(ask('SELECT DATABASE()')),
    'own key' => tried(get(getenv('REDIS_PREFIX') . 'own')),
    'own file' => tried(content(__FILE__)),
    'database' => tried(ask('SELECT option_value FROM blog.wp_options LIMIT 1')),
    'databases' => tried(ask("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name IN ('blog', 'news') HAVING COUNT(*) > 0")),
    'key' => tried(get('blog:session')),
    'code' => tried(content('/srv/webcluster/blog/current/wp-config.php')),
    'secrets' => tried(content('/etc/webcluster-sites/blog.env')),
]);
