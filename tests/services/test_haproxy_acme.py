# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two real HAProxy with the role's files, a real ACME authority, and the program of the role between them."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.plugins.plugin_utils import _acme
from ansible_collections.siteops.webcluster.tests.checkers import PATH
from ansible_collections.siteops.webcluster.tests.loopback import free_port
from ansible_collections.siteops.webcluster.tests.loopback_acme import Authority
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy

ACCOUNT = _acme.new_key()
SHOP = {"name": "shop", "domains": ["shop.example", "www.shop.example"]}
BLOG = {"name": "blog", "domains": ["blog.example"]}


@dataclass(frozen=True)
class Balancer:
    """One of them, as its visitors and its operator see it."""

    proxy: Proxy
    authority: Authority
    plain: int
    tls: int

    def get(self, host: str, path: str = "/", trusting: str = "") -> tuple[int, http.client.HTTPMessage, str]:
        """Ask over HTTPS and trust nobody else, or over plain HTTP."""
        connection = http.client.HTTPConnection("127.0.0.1", self.tls if trusting else self.plain, timeout=10)
        if trusting:
            connection.connect()
            context = ssl.create_default_context(cadata=trusting)
            connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def is_trusted(self, host: str) -> bool:
        try:
            return bool(self.get(host, trusting=self.authority.authorities))
        except ssl.SSLCertVerificationError:
            return False

    @property
    def settings(self) -> Path:
        return self.proxy.folder / "acme-settings" / "settings.json"

    def want(self, *certificates: dict[str, Any]) -> None:
        values = json.loads(self.settings.read_text(encoding="utf-8"))
        values["certificates"] = {one["name"]: one["domains"] for one in certificates}
        self.settings.write_text(json.dumps(values), encoding="utf-8")

    def run(self) -> dict[str, list[str]]:
        """What the role and the timer run."""
        program = self.proxy.folder / "acme-certificates.py"
        command = [sys.executable, "-B", "-s", str(program), str(self.settings)]
        done = subprocess.run(command, env={"PATH": PATH}, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        found: dict[str, list[str]] = json.loads(done.stdout)
        assert done.returncode == bool(found["problems"])
        return found


@dataclass(frozen=True)
class Pair:
    asks: Balancer
    answers: Balancer


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The first one gets certificates, and the authority's questions reach the second one."""
    ports = [(free_port(), free_port(), free_port()) for _number in range(2)]
    with ExitStack() as stack:
        authority = Authority(tmp_path_factory.mktemp("authority"), ports[1][0])
        stack.callback(authority.stop)

        def balancer(plain: int, tls: int, statistics: int) -> Balancer:
            variables = {
                "haproxy_http_backends": [{"name": "web", "address": "127.0.0.1", "port": free_port()}],
                "haproxy_http_bind_address": "127.0.0.1",
                "haproxy_http_bind_port": plain,
                "haproxy_https_bind_port": tls,
                "haproxy_stats_port": statistics,
                "haproxy_acme_certificates": [SHOP, BLOG],
                "haproxy_acme_account_key": ACCOUNT,
                "haproxy_acme_directory": authority.directory,
                "haproxy_acme_contact": "admin@example.org",
                "haproxy_acme_authorities": authority.authorities,
                "haproxy_acme_obtain": False,
            }
            proxy = Proxy(tmp_path_factory.mktemp("balancer"), variables)
            stack.callback(proxy.stop)
            proxy.wait_for("web/web", "DOWN")
            return Balancer(proxy, authority, plain, tls)

        yield Pair(*(balancer(*of) for of in ports))


def test_before_the_first_certificate_everything_stays_plain(pair: Pair) -> None:
    status, headers, _body = pair.asks.get("shop.example")
    assert (status, headers["Strict-Transport-Security"]) == (503, None)
    assert not pair.asks.is_trusted("shop.example")


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("other.example", "/.well-known/acme-challenge/token"),
        ("shop.example", "/.well-known/acme-challenge/a/b"),
        ("shop.example", "/.well-known/acme-challenge/<script>"),
    ],
)
def test_nothing_else_is_answered_as_a_challenge(pair: Pair, host: str, path: str) -> None:
    assert pair.asks.get(host, path)[0] == 503
    assert pair.asks.get("SHOP.example:80", "/.well-known/acme-challenge/to-ken_1")[2] == (
        f"to-ken_1.{_acme.thumbprint(ACCOUNT)}"
    )


def test_a_certificate_comes_without_a_reload_though_another_balancer_was_asked(pair: Pair) -> None:
    pair.asks.want(SHOP)
    process = pair.asks.proxy.process_id()
    found = pair.asks.run()
    assert found["problems"] == []
    assert {"shop", "haproxy"} <= set(found["changed"])
    assert pair.asks.proxy.process_id() == process
    for host in SHOP["domains"]:
        status, headers, _body = pair.asks.get(host)
        assert (status, headers["Location"]) == (308, f"https://{host}:{pair.asks.tls}/")
        headers = pair.asks.get(host, trusting=pair.asks.authority.authorities)[1]
        assert headers["Strict-Transport-Security"] == "max-age=15768000"
    # Each one has its own, and others' names stay as they were.
    assert not pair.answers.is_trusted("shop.example")
    assert pair.asks.get("blog.example")[0] == 503
    files = {path.name: path.stat().st_mode & 0o777 for path in (pair.asks.proxy.folder / "acme").iterdir()}
    assert files == {"shop.pem": 0o600, "certificates.list": 0o600, "trusted.names": 0o644}


def test_a_second_run_changes_nothing_and_asks_nobody(pair: Pair) -> None:
    before = pair.asks.authority.log.stat().st_size
    assert pair.asks.run() == {"changed": [], "problems": []}
    assert pair.asks.authority.log.stat().st_size == before


def test_the_certificate_is_there_after_a_reload(pair: Pair) -> None:
    pair.asks.proxy.reload()
    assert pair.asks.is_trusted("www.shop.example")
    assert pair.asks.get("shop.example")[0] == 308
    assert pair.asks.run() == {"changed": [], "problems": []}


def test_a_renewed_certificate_takes_the_place_of_the_old_one_without_a_reload(pair: Pair) -> None:
    def number() -> str:
        return (
            pair.asks.proxy.ask(f"show ssl cert {pair.asks.proxy.folder}/acme/shop.pem").split("Serial: ")[1].split()[0]
        )

    before, process = number(), pair.asks.proxy.process_id()
    # A name more than it is for.
    pair.asks.want({**SHOP, "domains": ["shop.example", "www.shop.example", "blog.example"]})
    assert pair.asks.run()["problems"] == []
    assert (number() != before, pair.asks.proxy.process_id()) == (True, process)
    assert pair.asks.get("blog.example")[0] == 308


def test_what_cannot_be_had_is_one_sentence_and_all_is_served_as_before(pair: Pair) -> None:
    pair.asks.want({**SHOP, "domains": ["shop.example", "elsewhere.example"]}, BLOG)
    found = pair.asks.run()
    [problem] = found["problems"]
    assert problem.startswith(
        f"Certificate shop for shop.example, elsewhere.example was not got from {pair.asks.authority.directory}: "
    )
    assert problem.endswith("see that these names lead to the load balancers at port 80, then run this again.")
    assert problem.count("\n") == 0
    assert pair.asks.is_trusted("www.shop.example")
    assert pair.asks.get("shop.example")[0] == 308
    # The other one is had all the same.
    assert "blog" in found["changed"]


def test_an_authority_that_is_away_is_one_sentence(pair: Pair) -> None:
    values = json.loads(pair.asks.settings.read_text(encoding="utf-8"))
    config = Path(values["config"])
    text = config.read_text(encoding="utf-8")
    try:
        config.write_text(text.replace(pair.asks.authority.directory, f"https://127.0.0.1:{free_port()}/dir"))
        [problem] = pair.asks.run()["problems"]
        assert "was not got from" in problem
        assert pair.asks.get("shop.example")[0] == 308
    finally:
        config.write_text(text, encoding="utf-8")


def test_nobody_is_sent_to_a_certificate_that_browsers_do_not_trust(pair: Pair) -> None:
    values = json.loads(pair.answers.settings.read_text(encoding="utf-8"))
    pair.answers.want(SHOP)
    values["certificates"] = {"shop": SHOP["domains"]}
    pair.answers.settings.write_text(json.dumps({**values, "authorities": ""}), encoding="utf-8")
    assert pair.answers.run()["problems"] == []
    assert pair.answers.is_trusted("shop.example")
    status, headers, _body = pair.answers.get("shop.example")
    assert (status, headers["Location"]) == (503, None)
    pair.answers.settings.write_text(json.dumps(values), encoding="utf-8")
    assert pair.answers.run()["changed"] == ["trusted.names", "haproxy"]
    assert pair.answers.get("shop.example")[0] == 308


def test_a_certificate_that_nobody_wants_any_more_is_gone_with_its_key(pair: Pair) -> None:
    pair.asks.want(BLOG)
    assert {"shop", "haproxy"} <= set(pair.asks.run()["changed"])
    assert not pair.asks.is_trusted("shop.example")
    assert pair.asks.get("shop.example")[0] == 503
    assert pair.asks.is_trusted("blog.example")
    left = [path for path in pair.asks.proxy.folder.rglob("*") if "shop" in path.name]
    assert left == []


def test_without_haproxy_what_was_got_waits_for_its_start(pair: Pair) -> None:
    # A name of which the authority knows nothing yet: one that it has asked once it may believe.
    pair.answers.want(SHOP, {"name": "late", "domains": ["late.example"]})
    pair.answers.proxy.stop()
    found = pair.answers.run()
    # The authority asks it too.
    assert len(found["problems"]) == 2
    assert found["problems"][1].startswith("HAProxy does not answer at ")
