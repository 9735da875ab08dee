<?php
// What every site of webcluster_sites finds in its environment.
define('DB_NAME', getenv('DB_DATABASE'));
define('DB_USER', getenv('DB_USERNAME'));
define('DB_PASSWORD', getenv('DB_PASSWORD'));
define('DB_HOST', getenv('DB_HOST') . ':' . getenv('DB_PORT'));
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');

// The same on all web servers, so that who has logged in on one is known to the others.
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $use) {
    define("{$use}_KEY", hash_hmac('sha256', "{$use}_KEY", getenv('WORDPRESS_SECRET')));
    define("{$use}_SALT", hash_hmac('sha256', "{$use}_SALT", getenv('WORDPRESS_SECRET')));
}

// Code comes by releases; a site may write to its shared folders only.
define('DISALLOW_FILE_MODS', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('DISABLE_WP_CRON', true);

$table_prefix = 'wp_';

if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';
