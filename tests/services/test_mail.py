# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PHP's mail() becomes at a relay: the role's files, a real msmtp, and a mail server on loopback."""

from __future__ import annotations

import base64
import os
import re
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.checkers import PATH, need
from ansible_collections.siteops.webcluster.tests.loopback import let_in
from ansible_collections.siteops.webcluster.tests.pretended_hosts import Case, Run, play_role

SECRET = "re$lay 'p\"ass\\word"
RELAY: dict[str, Any] = {
    "host": "127.0.0.1",
    "port": 2525,
    "tls": "none",
    "user": "shop+mail@shop.example",
    "password": SECRET,
    "from": "bounces@shop.example",
}
SHOP: dict[str, Any] = {
    "name": "shop",
    "domains": ["shop.example"],
    "mail": RELAY,
    "cron": [{"name": "report", "schedule": "@daily", "command": "php report.php"}],
}
BLOG: dict[str, Any] = {
    "name": "blog",
    "domains": ["blog.example"],
    "mail": {"host": "mail.example", "from": "blog@blog.example"},
}
PLAIN: dict[str, Any] = {"name": "plain", "domains": ["plain.example"]}
WITHOUT = "/usr/local/lib/webcluster/mail-without-relay"
# In place of what writes into the journal: the last word is the text.
LOGGER = '#!/bin/sh\nfor text; do :; done; echo "$text" >&2\n'
USUAL: dict[str, Any] = {"apache_php_memory_mb": 1024}
CASES = {
    "mail": Case({**USUAL, "apache_php_sites": [SHOP, BLOG, PLAIN]}),
    "none": Case({**USUAL, "apache_php_sites": [PLAIN]}),
    "bad": Case({**USUAL, "apache_php_sites": [{**BLOG, "mail": {**RELAY, "host": "mail.example"}}]}),
}


@dataclass
class Inbox:
    """What a mail server on loopback was told."""

    port: int = 0
    login: list[str] = field(default_factory=list)
    envelope: list[str] = field(default_factory=list)
    text: str = ""


class Session(socketserver.StreamRequestHandler):
    """One visit of a client, which has to log in."""

    inbox: Inbox

    def handle(self) -> None:
        self.say("220 mail.example")
        for raw in self.rfile:
            line = raw.decode().strip()
            verb = line.upper().split()[0]
            if verb == "EHLO":
                self.say("250-mail.example\r\n250 AUTH PLAIN")
            elif verb == "AUTH":
                self.inbox.login = base64.b64decode(line.split()[2]).decode().split("\0")[1:]
                self.say("235 welcome")
            elif verb == "DATA":
                self.say("354 go on")
                self.inbox.text = "".join(iter(lambda: self.rfile.readline().decode(), ".\r\n"))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.inbox.envelope.append(line)
                self.say("250 well")

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@pytest.fixture(name="inbox")
def fixture_inbox() -> Iterator[Inbox]:
    inbox = Inbox()
    handler = type("OwnSession", (Session,), {"inbox": inbox})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        inbox.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield inbox
        server.shutdown()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return play_role("apache_php", CASES, tmp_path_factory.mktemp("mail"))


def test_what_php_sends_arrives_at_the_relay_by_its_login(run: Run, inbox: Inbox, tmp_path: Path) -> None:
    need("php")
    need("msmtp")
    for name in ("msmtprc", "mail.ini", "password"):
        content = run.file("mail", f"webcluster-mail/shop/{name}").content
        content = content.replace("/etc/webcluster-mail/shop", str(tmp_path)).replace("port 2525", f"port {inbox.port}")
        (tmp_path / name).write_text(content, encoding="utf-8")
        # It is root's, and the site reads it by its group.
        (tmp_path / name).chmod(0o640)
    code = 'exit(mail("to@elsewhere.example", "Hello", "All is fine\\n", ["From" => "me@shop.example"]) ? 0 : 1);'
    environment = {"PATH": PATH, "PHP_INI_SCAN_DIR": f":{tmp_path}", "HOME": str(tmp_path)}
    done = subprocess.run(["php", "-r", code], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert inbox.login == [RELAY["user"], SECRET]
    assert [line.split(">")[0] for line in inbox.envelope] == [
        "MAIL FROM:<bounces@shop.example",
        "RCPT TO:<to@elsewhere.example",
    ]
    assert "Subject: Hello\r\n" in inbox.text
    assert "\r\n\r\nAll is fine\r\n" in inbox.text


def test_only_the_site_reads_its_login_which_is_in_no_other_file(run: Run) -> None:
    for name in ("msmtprc", "mail.ini", "password"):
        file = run.file("mail", f"webcluster-mail/shop/{name}").arguments
        assert (file["owner"], file["group"], file["mode"]) == ("root", "site-shop", "0640")
    assert "content" not in run.file("mail", "webcluster-mail/shop/password").arguments
    shown = [
        file
        for call in run.of("mail", "configured_service")
        for file in call["files"]
        if SECRET in "".join(map(str, file.values()))
    ]
    assert [file["path"] for file in shown] == ["/etc/webcluster-mail/shop/password"]


def test_each_pool_sends_by_its_own_relay(run: Run) -> None:
    parts = re.split(r"(?m)^\[(.+)\]$", run.file("mail", "php-fpm.conf").content)
    pools = dict(zip(parts[1::2], parts[2::2], strict=True))
    line = 'php_admin_value[sendmail_path] = "/usr/bin/msmtp -C /etc/webcluster-mail/{}/msmtprc -t"'
    for site in ("shop", "blog"):
        assert line.format(site) in pools[f"site-{site}"].splitlines()
    assert f'php_admin_value[sendmail_path] = "{WITHOUT} plain"' in pools["site-plain"].splitlines()
    assert run.file("mail", "webcluster-mail/plain/mail.ini").content == f'sendmail_path = "{WITHOUT} plain"\n'
    unit = run.file("mail", "webcluster-cron-shop-report.service").content
    assert "Environment=PHP_INI_SCAN_DIR=:/etc/webcluster-mail/shop\n" in unit


@pytest.mark.skipif(os.path.exists("/usr/sbin/sendmail"), reason="this machine has a sendmail of its own")
def test_without_a_relay_mail_is_false_and_one_sentence_says_why(run: Run, tmp_path: Path) -> None:
    need("php")
    for path, text in {"logger": LOGGER, "program": run.file("none", "mail-without-relay").content}.items():
        (tmp_path / path).write_text(text, encoding="utf-8")
        (tmp_path / path).chmod(0o755)
    ini = run.file("none", "webcluster-mail/plain/mail.ini").content.replace(WITHOUT, str(tmp_path / "program"))
    (tmp_path / "mail.ini").write_text(ini, encoding="utf-8")
    # More than a pipe holds: PHP must not be ended by a program that reads nothing.
    code = 'var_dump(mail("to@elsewhere.example", "Hello", str_repeat("All is fine\n", 20000)));'
    environment = {"PATH": f"{tmp_path}:{PATH}", "PHP_INI_SCAN_DIR": f":{tmp_path}"}
    done = subprocess.run(["php", "-r", code], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "bool(false)\n")
    assert done.stderr == (
        "A mail of the site plain was not sent: it has no relay, and this host no sendmail. "
        "Set webcluster_mail, or mail of the site.\n"
    )


def test_a_relay_without_login_is_spoken_to_over_tls(run: Run) -> None:
    lines = run.file("mail", "webcluster-mail/blog/msmtprc").content.splitlines()
    for line in ("host mail.example", "port 587", "tls on", "tls_starttls on", "auth off", "from blog@blog.example"):
        assert line in lines
    files = [file["path"] for call in run.of("mail", "configured_service") for file in call["files"]]
    assert "/etc/webcluster-mail/blog/password" not in files


def test_msmtp_is_installed_where_a_site_sends_and_what_a_site_no_longer_has_is_removed(run: Run) -> None:
    assert "msmtp" in run.one("mail", "preflight")["packages"]
    assert "msmtp" not in run.one("none", "preflight")["packages"]
    assert "/etc/webcluster-mail/*/*" in run.of("none", "configured_service")[0]["owns"]


def test_a_password_in_clear_is_refused_before_anything_is_changed(run: Run) -> None:
    said = run.refusal("bad")
    assert "Site blog: mail would tell mail.example a password that all on the way can read; expected tls" in said
    assert SECRET not in said
    assert not run.of("bad", "configured_service")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_msmtp_takes_a_file_that_is_another_users(run: Run, inbox: Inbox, tmp_path: Path) -> None:
    """The site's user may read what is root's; msmtp refuses this of files that hold a password."""
    need("msmtp")
    for name in ("msmtprc", "password"):
        content = run.file("mail", f"webcluster-mail/shop/{name}").content
        content = content.replace("/etc/webcluster-mail/shop", str(tmp_path)).replace("port 2525", f"port {inbox.port}")
        (tmp_path / name).write_text(content, encoding="utf-8")
    let_in(tmp_path)
    done = subprocess.run(
        ["msmtp", "-C", str(tmp_path / "msmtprc"), "-t"],
        input="To: to@elsewhere.example\n\nhello\n",
        user="nobody",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, inbox.login) == (0, [RELAY["user"], SECRET]), done.stderr
