# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of PHP's mail() on a web server whose site has no relay, and which has no sendmail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from testinfra.host import Host

PROBE = "/srv/webcluster/demo/current/public/mail.php"
PAGE = "<?php var_dump(mail('to@elsewhere.example', 'Hello', 'All is fine'));"
SENTENCE = (
    "A mail of the site demo was not sent: it has no relay, and this host no sendmail. "
    "Set webcluster_mail, or mail of the site."
)


def test_mail_is_false_and_one_sentence_says_why(host: Host, ask: Callable[..., Any]) -> None:
    assert not host.file("/usr/sbin/sendmail").exists
    version = "8.2" if host.system_info.release.startswith("12") else "8.4"
    host.check_output("printf %%s %s >%s", PAGE, PROBE)
    try:
        answer = ask("/mail.php")
    finally:
        host.check_output("rm %s", PROBE)
    # The page goes on; what it shows of it is the application's.
    assert (answer.status, answer.text) == (200, "bool(false)\n")
    journal = "journalctl --no-pager --output cat --identifier webcluster-mail"
    assert until(lambda: host.check_output(journal).splitlines() == [SENTENCE]), host.check_output(journal)
    log = host.check_output("grep --count --fixed-strings %s /var/log/php%s-fpm.log", SENTENCE, version)
    assert log == "1"
