# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is asked which version of a site is served, and what of the answers counts as wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.error_budget import releases
from ansible_collections.siteops.webcluster.tests.error_budget.cluster import PROGRAM_HEAD, ClusterError, Lab
from ansible_collections.siteops.webcluster.tests.error_budget.faults import Cluster

ADDRESSES = {"lb": "10.0.0.1", "web1": "10.0.0.2", "web2": "10.0.0.3"}


def cluster_that_answers(monkeypatch: pytest.MonkeyPatch, answers: dict[str, list[str]], asked: list[Any]) -> Cluster:
    def run_python(_lab: Lab, host: str, _program: str, **values: Any) -> Any:
        asked.append((host, values))
        return answers

    monkeypatch.setattr(Lab, "groups", lambda _lab: {"haproxy": ["lb"]})
    monkeypatch.setattr(Lab, "addresses", lambda _lab: ADDRESSES)
    monkeypatch.setattr(Lab, "run_python", run_python)
    return Cluster(Lab(), "10.0.0.1", ("web1", "web2"), {})


def test_the_load_balancer_asks_the_web_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    releases.expect_version(cluster_that_answers(monkeypatch, {"web1": ["2"], "web2": ["2"]}, asked), "2")
    web = {"web1": "10.0.0.2", "web2": "10.0.0.3"}
    assert asked == [("lb", {"addresses": web, "domain": "shop.example", "times": 10})]


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (["2", "1"], "web2 serves version 1 and 2, expected 2."),
        (["1", "1"], "web2 serves version 1, expected 2."),
        (["no answer: refused"], "web2 serves version no answer: refused, expected 2."),
    ],
)
def test_another_version_is_told(monkeypatch: pytest.MonkeyPatch, found: list[str], sentence: str) -> None:
    with pytest.raises(ClusterError, match=sentence):
        releases.expect_version(cluster_that_answers(monkeypatch, {"web1": ["2"], "web2": found}, []), "2")


def test_the_program_tells_what_is_answered_for_the_name() -> None:
    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"{self.headers['Host']} {self.path}\n".encode())

        def log_message(self, *_words: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Site) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        values = {"addresses": {"web1": address, "web2": "127.0.0.1:1"}, "domain": "shop.example", "times": 2}
        program = [sys.executable, "-c", PROGRAM_HEAD + releases.ASK]
        said = subprocess.run(
            program, input=json.dumps(values) + "\n", capture_output=True, text=True, check=True
        ).stdout
        server.shutdown()
    found = json.loads(said)
    assert found["web1"] == ["shop.example /"] * 2
    assert found["web2"][0].startswith("no answer: ")
