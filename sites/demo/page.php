<?php
// SPDX-License-Identifier: GPL-3.0-or-later
// The page itself. $store, $notice and $path come from index.php.

declare(strict_types=1);

namespace Demo;

function e(mixed $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
}

/** One box of the picture; $state is 'on' (took part in this answer), 'idle' or 'down'. */
function node(string $title, string $detail, string $state, string $tag = ''): string
{
    $words = ['on' => 'took part in this answer', 'idle' => 'not asked for this answer', 'down' => 'does not work'];

    return '<li class="node ' . $state . '"><span class="dot" aria-hidden="true"></span><span class="name">' . e($title)
        . '<span class="sr"> (' . $words[$state] . ')</span></span>'
        . '<span class="detail">' . e($detail) . '</span>'
        . ($tag === '' ? '' : '<span class="tag">' . e($tag) . '</span>') . '</li>';
}

/** @param array<string, mixed> $probe */
function backendNode(string $title, array $probe, string $use): string
{
    $name = $probe['host'] ?? $title;
    if (!$probe['ok']) {
        // The heading says which one it is.
        return node($title, (string) preg_replace('/^\S+ \(\w+\) /', '', $probe['error']), 'down', $use);
    }
    $role = $probe['role'] === 'unknown' ? 'answers' : $probe['role'];

    return node($name, $role, 'on', $use);
}

/** @param array<string, mixed> $item */
function source(array $item): string
{
    if ($item['source'] === 'redis') {
        return '<span class="badge redis">Redis cache</span>';
    }

    return '<span class="badge mysql">MySQL ' . e($item['mysql_role']) . ' <b>' . e($item['mysql_host']) . '</b></span>';
}

$items = null;
$server = $store?->server() ?? (string) gethostname();
$down = ['ok' => false, 'error' => 'was not asked.'];
$backends = array_fill_keys(['mysql_read', 'mysql_write', 'redis_read', 'redis_write'], $down);
$webServers = [$server => 0];
if ($store !== null) {
    try {
        $items = $store->latest(8);
    } catch (Unavailable) {
        http_response_code(503);
        $notice = $notice === '' ? 'No item can be read at the moment.' : $notice;
    }
    $backends = backends($store);
    $webServers = $store->webServers();
}
$fromRedis = count(array_filter($items ?? [], static fn (array $item): bool => $item['source'] === 'redis'));
$fromMysql = count($items ?? []) - $fromRedis;
$problems = array_unique(array_column(array_filter($backends, static fn (array $probe): bool => !$probe['ok']), 'error'));
$canWrite = $backends['mysql_write']['ok'];
// Apache tells the address of the trusted proxy that passed the request on.
$balancer = (string) ($_SERVER['WEBCLUSTER_PROXY'] ?? '');
$written = (int) ($_GET['written'] ?? 0);
$milliseconds = (microtime(true) - (float) $_SERVER['REQUEST_TIME_FLOAT']) * 1000;
?>
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Web cluster: answered by <?= e($server) ?></title>
<link rel="stylesheet" href="/style.css?<?= e(substr((string) md5_file(__DIR__ . '/public/style.css'), 0, 8)) ?>">
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E%3Crect width='32' height='32' rx='8' fill='%234f46e5'/%3E%3Cg fill='%23fff'%3E%3Ccircle cx='8' cy='16' r='3.4'/%3E%3Ccircle cx='23' cy='8' r='3.4'/%3E%3Ccircle cx='23' cy='24' r='3.4'/%3E%3C/g%3E%3Cpath d='M8 16 23 8M8 16 23 24' stroke='%23fff' stroke-width='2'/%3E%3C/svg%3E">
</head>
<body>
<header class="top">
  <svg class="logo" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8"/><path d="M8 16 23 8M8 16 23 24"/><circle cx="8" cy="16" r="3.4"/><circle cx="23" cy="8" r="3.4"/><circle cx="23" cy="24" r="3.4"/></svg>
  <div>
    <h1>Web cluster</h1>
    <p>One address, several web servers, MySQL and Redis with a replica each.</p>
  </div>
  <a class="button ghost" href="/">Ask again</a>
</header>

<main>
<?php if ($notice !== '') { ?>
<p class="notice bad" role="alert"><?= e($notice) ?></p>
<?php } ?>
<?php if ($problems !== [] && $store !== null) { ?>
<div class="notice warn" role="status"><strong>Part of the cluster is not working.</strong>
  <ul><?php foreach ($problems as $problem) { ?><li><?= e($problem) ?></li><?php } ?></ul>
</div>
<?php } ?>

<section class="facts" aria-label="Who served this page">
  <div class="fact"><span>Answered by</span><strong><?= e($server) ?></strong><small>in <?= e(number_format($milliseconds, 1)) ?> ms</small></div>
  <div class="fact"><span>Items read from</span>
<?php if ($items === null) { ?>
    <strong>nowhere</strong><small>no source answered</small>
<?php } elseif ($items === []) { ?>
    <strong>none yet</strong><small>write the first one</small>
<?php } elseif ($fromMysql === 0) { ?>
    <strong>Redis</strong><small>all <?= $fromRedis ?> were in the cache</small>
<?php } elseif ($fromRedis === 0) { ?>
    <strong>MySQL</strong><small><?= $fromMysql ?>, now in the cache</small>
<?php } else { ?>
    <strong>Redis + MySQL</strong><small><?= $fromRedis ?> from the cache, <?= $fromMysql ?> new</small>
<?php } ?>
  </div>
  <div class="fact"><span>Reads go to</span><strong><?= e($backends['mysql_read']['host'] ?? 'nobody') ?></strong><small>MySQL <?= e($backends['mysql_read']['role'] ?? 'does not answer') ?></small></div>
  <div class="fact"><span>Writes go to</span><strong><?= e($backends['mysql_write']['host'] ?? 'nobody') ?></strong><small>MySQL <?= e($backends['mysql_write']['role'] ?? 'does not answer') ?></small></div>
</section>

<section class="card" aria-labelledby="path">
  <h2 id="path">The way of this answer</h2>
  <div class="map">
    <div class="stage"><h3>Client</h3><ul><?= node('You', (string) ($_SERVER['REMOTE_ADDR'] ?? ''), 'on') ?></ul></div>
    <div class="stage"><h3>Load balancer</h3><ul><?= $balancer === '' ? node('None', 'asked directly', 'idle') : node('HAProxy', $balancer, 'on') ?></ul></div>
    <div class="stage"><h3>Web</h3><ul><?php
    foreach ($webServers as $name => $seconds) {
        echo $name === $server
            ? node($name, 'PHP ' . PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION, 'on', 'answered')
            : node($name, "seen $seconds s ago", 'idle');
    }
    ?></ul></div>
    <div class="stage data">
      <div><h3>MySQL</h3><ul><?= backendNode('MySQL', $backends['mysql_write'], 'write') . backendNode('MySQL', $backends['mysql_read'], 'read') ?></ul></div>
      <div><h3>Redis</h3><ul><?= backendNode('Redis', $backends['redis_write'], 'write') . backendNode('Redis', $backends['redis_read'], 'read') ?></ul></div>
    </div>
  </div>
</section>

<div class="columns" id="items">
  <section class="card" aria-labelledby="write">
    <h2 id="write">Write an item</h2>
    <form method="post" action="/">
      <label for="text">Text</label>
      <textarea id="text" name="text" rows="3" maxlength="<?= MAX_TEXT ?>" required placeholder="Anything short"<?= $canWrite ? '' : ' disabled' ?>></textarea>
      <button class="button"<?= $canWrite ? '' : ' disabled' ?>>Write to the primary</button>
    </form>
<?php if ($written > 0) { ?>
    <p class="notice good" role="status">Item <?= $written ?> was written by <?= e($_GET['by'] ?? '') ?>. This page was answered by <?= e($server) ?>.</p>
<?php } else { ?>
    <p class="hint">It goes to the MySQL primary, comes back from the replica, and stays in Redis for <?= CACHE_SECONDS / 60 ?> minutes. The newest <?= KEEP_ITEMS ?> are kept.</p>
<?php } ?>
  </section>

  <section class="card" aria-labelledby="list">
    <h2 id="list">Newest items</h2>
<?php if ($items === null) { ?>
    <p class="hint">The items cannot be read at the moment. They are not lost: try again when a database answers.</p>
<?php } elseif ($items === []) { ?>
    <p class="hint">There is no item yet.</p>
<?php } else { ?>
    <ol class="items">
<?php foreach ($items as $item) { ?>
      <li<?= $item['id'] === $written ? ' class="new"' : '' ?>>
        <span class="number"><?= $item['id'] ?></span>
        <span class="body"><?= e($item['text']) ?><small>by <?= e($item['server']) ?>, <?= e($item['created']) ?></small></span>
        <?= source($item) ?>

      </li>
<?php } ?>
    </ol>
<?php } ?>
  </section>
</div>
</main>

<footer>
  <a href="/api/status">/api/status</a> <a href="/healthz">/healthz</a> <a href="/livez">/livez</a>
  <span>siteops.webcluster</span>
</footer>
</body>
</html>
