<?php
// Runs on a web server, as an application does: php rows.php NAME KIND PORT RATE KEEP; the password is the first line of its input.
// Writes numbered rows, or reads, at a steady rate until its input ends; prints what became of each: number, start, seconds, error.
[, $name, $kind, $port, $rate, $keep] = $argv;
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
$password = trim(fgets(STDIN));
stream_set_blocking(STDIN, false);
$link = null;
for ($number = 1, $begin = microtime(true); ; $number++) {
    $wait = $begin + $number / (float) $rate - microtime(true);
    if ($wait > 0) {
        usleep((int) ($wait * 1e6));
    }
    if (fread(STDIN, 1) === '' && feof(STDIN)) {
        exit;
    }
    $start = microtime(true);
    $error = '';
    try {
        $link ??= mysqli_init();
        if (!isset($open)) {
            $link->options(MYSQLI_OPT_CONNECT_TIMEOUT, 3);
            $link->options(MYSQLI_OPT_READ_TIMEOUT, 5);
            $link->real_connect('127.0.0.1', 'demo', $password, 'demo', (int) $port);
            $open = true;
        }
        if ($kind === 'write') {
            $sum = md5("$name:$number");
            $link->query("INSERT INTO counted (writer, number, checksum) VALUES ('$name', $number, '$sum')");
        } else {
            $link->query('SELECT COUNT(*) FROM counted WHERE id < 10')->fetch_row();
        }
    } catch (mysqli_sql_exception $caught) {
        $error = $caught->getCode() . ' ' . $caught->getMessage();
    }
    if ($error !== '' || $keep !== 'keep') {
        try {
            @$link->close();
        } catch (Throwable $caught) {
            // It was never open.
        }
        $link = null;
        unset($open);
    }
    printf("%d\t%.4f\t%.4f\t%s\n", $number, $start, microtime(true) - $start, strtr($error, "\t\n", '  '));
}
