# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""haproxy_server and haproxy_server_info against a real HAProxy on loopback with the role's files."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.modules import haproxy_server, haproxy_server_info
from ansible_collections.siteops.webcluster.tests.loopback import free_port, wait_for
from ansible_collections.siteops.webcluster.tests.loopback_haproxy import Proxy

ADDRESSES = {"web1": "127.0.0.1", "web2": "127.0.0.2"}
WEIGHT = 100
# The role's backend, a second one with the same server, and one that takes no weight.
MORE_BACKENDS = """
backend other from http
    server web1 127.0.0.1:{port}
backend static from http
    balance static-rr
    server only 127.0.0.1:{port} weight 10
"""

Result = dict[str, Any]
Run = Callable[..., Result]


class Web:
    """Two web servers on one port; a request for /hold is answered when the test lets it go."""

    def __init__(self) -> None:
        self.healthy = set(ADDRESSES)
        self.let_go = threading.Event()
        self.port = 0

    def answer(self, path: str, address: str) -> tuple[int, str]:
        name = next(name for name, own in ADDRESSES.items() if own == address)
        if path == "/hold":
            self.let_go.wait(20)
        return (200 if path != "/healthz" or name in self.healthy else 503), name

    def handler(self) -> type[BaseHTTPRequestHandler]:
        return type("WebHandler", (Handler,), {"web": self})


class Handler(BaseHTTPRequestHandler):
    """Answers as its web says."""

    web: Web

    def do_GET(self) -> None:
        status, name = self.web.answer(self.path, self.connection.getsockname()[0])
        self.send_response(status)
        self.send_header("Content-Length", str(len(name)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(name.encode())

    def log_message(self, *_words: object) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    web = Web()
    with ExitStack() as stack:
        for address in ADDRESSES.values():
            server = stack.enter_context(ThreadingHTTPServer((address, web.port), web.handler()))
            server.daemon_threads = True
            web.port = server.server_port
            threading.Thread(target=server.serve_forever, daemon=True).start()
            stack.callback(server.shutdown)
        yield web


@pytest.fixture(scope="module")
def site_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def running(web: Web, site_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    variables = {
        "haproxy_http_backends": [
            {"name": name, "address": address, "port": web.port, "weight": WEIGHT}
            for name, address in ADDRESSES.items()
        ],
        "haproxy_http_bind_address": "127.0.0.1",
        "haproxy_http_bind_port": site_port,
        "haproxy_stats_bind_address": "127.0.0.3",
        "haproxy_extra_config": MORE_BACKENDS.format(port=web.port),
    }
    proxy = Proxy(tmp_path_factory.mktemp("haproxy"), variables)
    try:
        yield proxy
    finally:
        proxy.stop()


@pytest.fixture
def proxy(running: Proxy, web: Web) -> Iterator[Proxy]:
    """HAProxy with all of its servers up, as configured."""
    for name in ADDRESSES:
        running.wait_for(f"web/{name}", "UP")
    yield running
    web.let_go.set()
    for name in ADDRESSES:
        running.ask(f"set server web/{name} state ready")
        running.ask(f"set server web/{name} weight {WEIGHT}")
    running.ask("set server other/web1 state ready")
    web.healthy |= set(ADDRESSES)
    web.let_go = threading.Event()


@pytest.fixture
def run(running: Proxy, capsys: pytest.CaptureFixture[str]) -> Run:
    def once(module: ModuleType = haproxy_server, **options: Any) -> Result:
        sockets = {"socket": str(running.folder / "admin.sock")}
        if module is haproxy_server:
            sockets["master_socket"] = str(running.folder / "master.sock")
        capsys.readouterr()
        with patch_module_args({**sockets, **options}), pytest.raises(SystemExit):
            module.main()
        return dict(json.loads(capsys.readouterr().out))

    return once


def ask(port: int, path: str = "/") -> str:
    """Which web server answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@contextmanager
def held(proxy: Proxy, port: int) -> Iterator[str]:
    """A request that a server has and does not answer yet; tells which server."""
    thread = threading.Thread(target=ask, args=(port, "/hold"))
    thread.start()

    def busy() -> list[str]:
        return [path.removeprefix("web/") for path, row in proxy.rows().items() if path in WEB and row["scur"] == "1"]

    wait_for(lambda: busy() != [])
    yield busy()[0]
    thread.join()


WEB = {f"web/{name}" for name in ADDRESSES}


def test_a_drained_server_finishes_what_it_has_and_gets_nothing_new(
    proxy: Proxy, web: Web, site_port: int, run: Run
) -> None:
    with held(proxy, site_port) as busy:
        result = run(server=busy, backend="web", state="drain", timeout=0.2)
        assert result["failed"]
        assert result["msg"].startswith(f"web/{busy} still has 1 session(s). After 0.2 s that is an error;")
        assert result["sessions_left"] == result["backends"]["web"]["sessions"] == 1
        assert proxy.states()[f"web/{busy}"] == "DRAIN"
        assert busy not in {ask(site_port) for _number in range(10)}

        result = run(server=busy, backend="web", state="drain", timeout=0, on_timeout="continue")
        assert "failed" not in result
        assert result["notes"] == [f"web/{busy} still has 1 session(s)."]

        threading.Timer(0.3, web.let_go.set).start()
        result = run(server=busy, backend="web", state="drain", timeout=10)
    assert (result["changed"], result["sessions_left"], result["notes"]) == (False, 0, [])


def test_state_and_weight_are_set_once_and_a_check_sets_nothing(proxy: Proxy, run: Run) -> None:
    options = {"server": "web1", "backend": "web", "state": "maint", "weight": 7, "_ansible_diff": True}
    before, after = {"state": "ready", "weight": WEIGHT}, {"state": "maint", "weight": 7}
    for check in (True, False):
        result = run(**options, _ansible_check_mode=check)
        assert result["changed"]
        assert (result["backends"]["web"]["before"], result["backends"]["web"]["after"]) == (before, after)
        assert result["diff"] == {"before": {"web": before}, "after": {"web": after}}
        assert proxy.states()["web/web1"] == ("UP" if check else "MAINT")
    for check in (True, False):
        assert not run(**options, _ansible_check_mode=check)["changed"]
    known = run(haproxy_server_info)["backends"]
    assert known["web"]["web1"] == {"state": "maint", "weight": 7, "status": "MAINT", "up": False, "sessions": 0}
    assert known["static"]["only"] == {"state": "ready", "weight": 10, "status": "no check", "up": True, "sessions": 0}


def test_a_server_given_back_from_maintenance_is_waited_for_until_a_check(proxy: Proxy, run: Run) -> None:
    proxy.ask("set server web/web1 state maint")
    # HAProxy itself says at once that it is up, before it has asked.
    result = run(server="web1", backend="web", state="ready", timeout=10)
    assert (result["changed"], result["backends"]["web"]["status"]) == (True, "UP")


def test_a_server_is_set_in_every_backend_that_has_it(proxy: Proxy, run: Run) -> None:
    result = run(server="web1", state="drain")
    assert set(result["backends"]) == {"web", "other"}
    assert proxy.states()["other/web1"] == "DRAIN"


def test_a_server_that_is_down_is_not_waited_for_and_not_called_back(proxy: Proxy, web: Web, run: Run) -> None:
    web.healthy.discard("web2")
    proxy.wait_for("web/web2", "DOWN")
    result = run(server="web2", backend="web", state="drain")
    assert result["changed"]
    assert result["notes"] == ["web/web2 was DOWN already: nothing was waited for."]
    result = run(server="web2", backend="web", state="ready", timeout=0.2)
    assert result["failed"]
    assert result["msg"].startswith("web/web2 is DOWN, not UP. After 0.2 s that is an error; the state ready stays set")


def test_what_a_reload_left_behind_is_waited_for(proxy: Proxy, web: Web, site_port: int, run: Run) -> None:
    with held(proxy, site_port) as busy:
        other = next(name for name in ADDRESSES if name != busy)
        run(server=other, backend="web", state="drain")
        proxy.reload()
        assert proxy.states()[f"web/{other}"].startswith("DRAIN")
        # The old process cannot be told, but its only client is at work elsewhere.
        assert run(server=other, backend="web", state="drain", timeout=5)["sessions_left"] == 0
        run(server=other, backend="web", state="ready")
        result = run(server=busy, backend="web", state="drain", timeout=0.2)
        assert result["failed"]
        assert result["msg"].startswith("The process before a reload still has 1 session(s) or idle client(s).")
        web.let_go.set()
        assert run(server=busy, backend="web", state="drain", timeout=10)["sessions_left"] == 0


def test_a_client_of_the_process_before_a_reload_may_ask_once_more(proxy: Proxy, site_port: int, run: Run) -> None:
    client = http.client.HTTPConnection("127.0.0.1", site_port, timeout=20)
    client.request("GET", "/")
    client.getresponse().read()
    proxy.reload()
    assert run(server="web1", backend="web", state="drain", timeout=0.2)["sessions_left"] == 1
    client.request("GET", "/")
    client.getresponse().read()
    assert run(server="web1", backend="web", state="drain", timeout=10)["sessions_left"] == 0
    client.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"server": "web9", "backend": "web"}, "no server 'web9' in the backend web: did you mean web2? There is web1, web2."),
        ({"server": "x"}, "no server 'x' in any backend: there is web1, web2, only."),
        ({"server": "web1", "backend": "wep"}, "no backend 'wep' with servers: did you mean web? There is web, other, static."),
        ({"server": "only", "weight": 5}, "refuses 'set server static/only weight 5': Backend is using a static LB algorithm"),
        ({"server": "web1", "weight": 257}, "weight is 257, expected 0 to 256: correct it."),
        ({"server": "web1", "timeout": -1}, "timeout is -1, expected at least 0 seconds: raise it."),
        ({"server": "web1", "socket": "/nowhere"}, "cannot be asked at /nowhere (No such file or directory): start HAProxy,"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_one_sentence(proxy: Proxy, run: Run, options: dict[str, Any], said: str) -> None:
    result = run(**{"state": "ready", **options})
    assert result["failed"]
    assert said in result["msg"]
    assert set(proxy.states().values()) <= {"UP", "no check"}
