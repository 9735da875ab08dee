<?php
// A page that takes as long as it is asked to, at most a minute: ?slow=40.
add_action('init', function (): void {
    if (isset($_GET['slow'])) {
        sleep(min(60, (int) $_GET['slow']));
        exit('slow but whole');
    }
});
