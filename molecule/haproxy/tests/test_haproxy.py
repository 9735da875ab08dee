# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What users of the load balancer and of the data proxy see, also while servers fail and HAProxy reloads."""

from __future__ import annotations

import contextlib
import csv
import http.client
import io
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml
from ansible_collections.siteops.webcluster.molecule.utils.converging import changes, converge
from ansible_collections.siteops.webcluster.molecule.utils.restricted import MOST_EXPOSED, exposure, of_process
from ansible_collections.siteops.webcluster.molecule.utils.waiting import until
from ansible_collections.siteops.webcluster.tests.certificates import issue
from testinfra.host import Host

SCENARIO = Path(__file__).resolve().parents[1]
SSH_CONFIG = SCENARIO / "inventory/.lab/current/ssh_config"
PUBLIC = "10.94.1.4"
ALL_VARIABLES = yaml.safe_load((SCENARIO / "inventory/group_vars/all.yml").read_text(encoding="utf-8"))
MONITOR_PASSWORD = ALL_VARIABLES["haproxy_redis_monitor_password"]
REDIS_PASSWORD = ALL_VARIABLES["molecule_redis_password"]
# Sends commands through a port of the host and prints all answers.
REDIS_TALK = (
    "import socket,sys; s=socket.create_connection(('127.0.0.1',int(sys.argv[1])),5); s.settimeout(5);"
    "s.sendall('\\r\\n'.join(sys.argv[2:]+['QUIT','']).encode());"
    "print(b''.join(iter(lambda: s.recv(65536), b'')).decode())"
)


# Prints what the host itself gets for a URL; nothing when it gets nothing.
FETCH = (
    "import sys,urllib.request as r; o=r.build_opener(r.ProxyHandler({}));"
    "print(o.open(sys.argv[1],timeout=10).read().decode())"
)


def test_p8_haproxy_does_without_most_rights(host: Host) -> None:
    assert exposure(host, "haproxy") <= MOST_EXPOSED
    assert (of_process(host, "haproxy", "NoNewPrivs"), of_process(host, "haproxy", "Seccomp")) == ("1", "2")


def stub(name: str) -> Host:
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(SSH_CONFIG), sudo=True)


def get(path: str = "/", headers: dict[str, str] | None = None) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection(PUBLIC, 80, timeout=15)
    try:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read().decode()
    finally:
        connection.close()


def fetch(host: Host, url: str) -> str:
    return str(host.run("python3 -c %s %s", FETCH, url).stdout)


def served_by(requests: int = 10) -> set[str]:
    return {json.loads(get()[1])["host"] for request in range(requests)}


def states(host: Host, proxy: str) -> dict[str, str]:
    """Server name to status, as HAProxy sees it."""
    text = fetch(host, "http://127.0.0.1:8404/stats;csv")
    rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
    return {
        row["svname"]: row["status"]
        for row in rows
        if row["pxname"] == proxy and row["svname"] not in ("FRONTEND", "BACKEND")
    }


def connect(tls: bool) -> http.client.HTTPConnection:
    """A connection to the front end; whom it trusts is no question of these tests."""
    if not tls:
        return http.client.HTTPConnection(PUBLIC, 80, timeout=15)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(PUBLIC, 443, timeout=15, context=context)


@contextlib.contextmanager
def visitors(pause: float = 0.05, most: int = 1500, tls: bool = False) -> Iterator[list[str]]:
    """Four clients with connections of their own; the list has one line for each request that went wrong."""
    lost: list[str] = []
    done = threading.Event()
    counts = [0] * 4

    def visit(number: int) -> None:
        connection = connect(tls)
        while counts[number] < most and not done.wait(pause):
            counts[number] += 1
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    lost.append(f"status {response.status}")
            except (OSError, http.client.HTTPException) as error:
                lost.append(repr(error))
                connection.close()
        connection.close()

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(len(counts))]
    for thread in threads:
        thread.start()
    try:
        yield lost
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert min(counts) > 5, "too few requests to tell anything"
    assert max(counts) < most, "the visitors left before the end"


def play(*arguments: str) -> str:
    """Run the scenario's playbook; its output."""
    code, output = converge("haproxy", None, *arguments)
    assert code == 0, output
    return output


@pytest.fixture
def both_up(host: Host) -> Iterator[None]:
    """Whatever a test does to the web servers, the next one finds both at work."""
    yield
    for name in ("web1", "web2"):
        stub(name).check_output("rm -f /run/unhealthy && systemctl start stub")
    assert until(lambda: states(host, "web") == {"web1": "UP", "web2": "UP"})


def test_both_web_servers_serve_the_page() -> None:
    assert served_by(20) == {"web1", "web2"}


def test_client_cannot_forge_what_the_web_server_trusts() -> None:
    forged = {"X-Forwarded-For": "1.2.3.4", "X-Request-ID": "mine", "Forwarded": "for=1.2.3.4", "Proxy": "evil"}
    response, body = get(headers=forged)
    headers = [(name.lower(), value) for name, value in json.loads(body)["headers"]]
    addresses = [value for name, value in headers if name == "x-forwarded-for"]
    assert len(addresses) == 1
    assert addresses[0].startswith("10.94.1.")
    assert [value for name, value in headers if name == "x-request-id"] == [response.getheader("X-Request-ID")]
    assert response.getheader("X-Request-ID") != "mine"
    assert {"forwarded", "proxy"}.isdisjoint(name for name, _value in headers)


def test_request_is_in_the_log_under_its_number_and_costs_the_journal_nothing(host: Host) -> None:
    number = get("/find-me")[0].getheader("X-Request-ID")
    log = "/var/log/haproxy/requests.log"
    assert until(lambda: f'"GET /find-me HTTP/1.1" {number}' in host.check_output(f"tail -n 200 {log}"))
    assert str(number) not in host.check_output("journalctl -u haproxy")
    host.check_output("logrotate --force /etc/logrotate.d/webcluster-haproxy")
    assert host.file(f"{log}.1").contains(str(number))
    number = get("/find-me-after")[0].getheader("X-Request-ID")
    assert until(lambda: str(number) in host.check_output(f"cat {log}"))
    folder = host.file("/var/log/haproxy")
    assert (folder.user, folder.group, folder.mode) == ("root", "adm", 0o750)
    assert "logrotate.timer" in host.check_output("systemctl list-timers --no-pager logrotate.timer")


def test_statistics_are_private(host: Host) -> None:
    assert "haproxy_server_status{" in fetch(host, "http://127.0.0.1:8404/metrics")
    assert "Statistics Report" in fetch(host, "http://127.0.0.1:8404/stats")
    assert not host.socket("tcp://0.0.0.0:8404").is_listening
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(PUBLIC, 8404, timeout=5).connect()
    response, body = get("/metrics")
    assert response.status == 404
    assert json.loads(body)["host"] in ("web1", "web2")


def test_files_are_for_root_and_haproxy_only(host: Host) -> None:
    for path, mode in {"/etc/haproxy/haproxy.cfg": 0o640, "/run/haproxy/admin.sock": 0o660}.items():
        found = host.file(path)
        assert (found.user, found.group, found.mode) == ("root", "haproxy", mode)


def test_refused_configuration_did_not_replace_the_good_one(host: Host) -> None:
    assert host.service("haproxy").is_running
    assert host.service("haproxy").is_enabled
    assert not host.file("/etc/haproxy/haproxy.cfg").contains("no-such-keyword")
    host.check_output("haproxy -c -f /etc/haproxy/haproxy.cfg")


def test_refused_host_was_not_touched() -> None:
    assert not stub("web1").package("haproxy").is_installed


@pytest.mark.usefixtures("both_up")
def test_no_request_is_lost_when_a_web_server_dies(host: Host) -> None:
    with visitors() as lost:
        stub("web2").check_output("systemctl kill --signal=KILL stub")
        assert until(lambda: states(host, "web")["web2"] == "DOWN")
        assert served_by() == {"web1"}
    assert lost == []


@pytest.mark.usefixtures("both_up")
def test_web_server_that_calls_itself_ill_gets_no_requests(host: Host) -> None:
    with visitors() as lost:
        stub("web1").check_output("touch /run/unhealthy")
        assert until(lambda: states(host, "web")["web1"] == "DOWN")
        assert served_by() == {"web2"}
    assert lost == []


@pytest.mark.usefixtures("both_up")
def test_visitor_gets_a_friendly_page_when_no_web_server_is_up(host: Host) -> None:
    for name in ("web1", "web2"):
        stub(name).check_output("systemctl stop stub")
    assert until(lambda: set(states(host, "web").values()) == {"DOWN"})
    response, body = get()
    assert response.status == 503
    assert "Please try again" in body
    assert response.getheader("Retry-After") == "60"
    # The plain TCP service says so by closing.
    assert fetch(host, "http://127.0.0.1:3307/") == ""


def test_no_request_is_lost_in_reloads(host: Host) -> None:
    with visitors() as lost:
        for _reload in range(3):
            host.check_output("systemctl reload haproxy")
            time.sleep(0.5)
    assert lost == []


def test_options_change_under_load_without_a_lost_request(host: Host) -> None:
    try:
        with visitors(pause=0.2) as lost:
            play("-e", "haproxy_http_cookie=SERVED", "-e", "haproxy_http_balance=source")
            # Long enough for some requests after the reload.
            time.sleep(1)
        assert lost == []
        assert "hash-type consistent" in host.file("/etc/haproxy/haproxy.cfg").content_string
        assert len(served_by()) == 1
        response, body = get()
        first = json.loads(body)["host"]
        other = {"web1": "web2", "web2": "web1"}[first]
        assert (response.getheader("Set-Cookie") or "").startswith(f"SERVED={first};")
        assert json.loads(get(headers={"Cookie": f"SERVED={other}"})[1])["host"] == other
    finally:
        play()
    assert get()[0].getheader("Set-Cookie") is None


def test_the_first_look_over_tls_is_by_a_placeholder(host: Host) -> None:
    connection = connect(tls=True)
    connection.request("GET", "/")
    assert json.loads(connection.getresponse().read())["host"] in ("web1", "web2")
    connection.close()
    assert get()[0].status == 200
    placeholder = host.file("/etc/haproxy/placeholder.pem")
    assert (placeholder.user, placeholder.mode) == ("root", 0o600)


def test_certificates_are_exchanged_without_a_lost_request(host: Host) -> None:
    try:
        with visitors(tls=True, pause=0.2) as lost:
            for issued in (issue("www.example.org"), issue("www.example.org")):
                variables = {"haproxy_https_certificates": [issued.variables()]}
                code, shown = converge("haproxy", variables, "--check", "--diff")
                assert code == 0, shown
                assert changes(shown) > 0
                assert converge("haproxy", variables)[0] == 0
                own = issued.certificate.strip()
                assert ssl.get_server_certificate((PUBLIC, 443)).strip() == own
                [file] = host.check_output("find /etc/haproxy/certificates -name '*.pem'").splitlines()
                assert (host.file(file).user, host.file(file).mode) == ("root", 0o600)
                key = issued.private_key.splitlines()[1]
                assert key in host.file(file).content_string
                assert key not in shown + host.check_output("journalctl -b --no-pager")
        assert lost == []
        assert changes(converge("haproxy", variables)[1]) == 0
        assert get(headers={"Host": "www.example.org"})[0].status == 308
        # Nobody is sent to a certificate of another name.
        assert get()[0].status == 200
    finally:
        play()
    assert get()[0].status == 200


def test_password_is_in_no_output_and_in_no_process_list(host: Host) -> None:
    shown = play("--check", "--diff", "-v", "-e", "haproxy_hard_stop_after=61")
    assert changes(shown) > 0
    for secret in (MONITOR_PASSWORD, MONITOR_PASSWORD.encode().hex()):
        assert secret not in shown
        assert secret not in host.check_output("journalctl -u haproxy; ps -ef")


@pytest.mark.usefixtures("both_up")
def test_reserve_is_used_only_when_needed(host: Host) -> None:
    def answers() -> str:
        return str(json.loads(fetch(host, "http://127.0.0.1:3307/") or "{}").get("host"))

    assert {answers() for request in range(4)} == {"web1"}
    stub("web1").check_output("systemctl stop stub")
    assert until(lambda: answers() == "web2")


def answered(host: Host, port: int) -> str:
    """Which of the two a port leads to, or nothing."""
    return str(json.loads(fetch(host, f"http://127.0.0.1:{port}/") or "{}").get("host", ""))


def split(host: Host) -> tuple[str, str]:
    """Where writes and reads go."""
    return answered(host, 3306), answered(host, 3308)


@pytest.fixture
def roles() -> Callable[[str, str], None]:
    """Gives the two servers the roles of MySQL servers: primary, replica, or none."""

    def give(first: str, second: str) -> None:
        for name, role in (("web1", first), ("web2", second)):
            stub(name).check_output(f"rm -rf /run/status && mkdir /run/status && touch /run/status/{role or 'none'}")

    give("primary", "replica")
    return give


def test_mysql_services_follow_the_live_role(host: Host, roles: Callable[[str, str], None]) -> None:
    assert until(lambda: split(host) == ("web1", "web2")), split(host)
    roles("replica", "primary")
    assert until(lambda: split(host) == ("web2", "web1")), split(host)


def test_reads_fall_back_to_the_primary_while_no_replica_is_fit(host: Host, roles: Callable[[str, str], None]) -> None:
    # Stopped, broken or lagging: its status service says 503.
    roles("primary", "")
    assert until(lambda: split(host) == ("web1", "web1")), split(host)
    roles("primary", "replica")
    assert until(lambda: split(host) == ("web1", "web2")), split(host)


def test_nothing_is_written_where_no_primary_takes_writes(host: Host, roles: Callable[[str, str], None]) -> None:
    roles("", "replica")
    assert until(lambda: split(host) == ("", "web2")), split(host)
    # Two at once: rather none than both.
    roles("primary", "primary")
    assert until(lambda: set(states(host, "mysql_write").values()) == {"UP"})
    assert split(host)[0] == ""


def redis(host: Host, port: int, *commands: str) -> str:
    words = [f"AUTH {REDIS_PASSWORD}", *commands]
    return host.run("python3 -c %s %s" + " %s" * len(words), REDIS_TALK, str(port), *words).stdout


def redis_pair(host: Host) -> dict[str, Any]:
    """Which server each port leads to."""
    write, read = (redis(host, port, "CONFIG GET bind", "INFO replication") for port in (6379, 6380))
    return {
        f"{port} {role}": address
        for port, text in (("write", write), ("read", read))
        for role in ("master", "slave")
        for address in ("10.94.1.5", "10.94.1.6")
        if f"role:{role}" in text and f"bind\r\n$9\r\n{address}" in text
    }


def replicate(name: str, source: str) -> None:
    """Make a Redis server a replica of another, or a primary with 'NO ONE'."""
    stub(name).check_output(f"redis-cli -h $(hostname -I) --no-auth-warning -a {REDIS_PASSWORD} REPLICAOF {source}")


def test_redis_services_follow_the_live_role(host: Host) -> None:
    before = {"write master": "10.94.1.5", "read slave": "10.94.1.6"}
    assert until(lambda: redis_pair(host) == before), redis_pair(host)
    assert redis(host, 6379, "SET colour blue").count("+OK") == 3
    try:
        replicate("web2", "NO ONE")
        replicate("web1", "10.94.1.6 6379")
        after = {"write master": "10.94.1.6", "read slave": "10.94.1.5"}
        assert until(lambda: redis_pair(host) == after), redis_pair(host)
        assert "blue" in redis(host, 6380, "GET colour")
    finally:
        replicate("web1", "NO ONE")
        replicate("web2", "10.94.1.5 6379")
    assert until(lambda: redis_pair(host) == before), redis_pair(host)


def test_reads_go_to_the_primary_while_there_is_no_replica(host: Host) -> None:
    stub("web2").check_output("systemctl stop redis-server")
    try:
        alone = {"write master": "10.94.1.5", "read master": "10.94.1.5"}
        assert until(lambda: redis_pair(host) == alone), redis_pair(host)
    finally:
        stub("web2").check_output("systemctl start redis-server")
    assert until(lambda: "read slave" in redis_pair(host)), redis_pair(host)


def test_nothing_is_written_while_there_are_two_primaries(host: Host) -> None:
    replicate("web2", "NO ONE")
    try:
        assert until(lambda: set(states(host, "redis_write").values()) == {"UP"})
        assert redis(host, 6379, "SET colour red").strip() == ""
    finally:
        replicate("web2", "10.94.1.5 6379")
    assert until(lambda: redis(host, 6379, "SET colour green").count("+OK") == 3)


def test_down_redis_says_why(host: Host) -> None:
    journal = host.check_output("journalctl -u haproxy")
    assert "not the primary" in journal
    assert "not a replica" in journal
