# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""awx/configure.yml, played against a server on loopback that stands for AWX."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from ansible_collections.siteops.webcluster.tests.awx import data

VALUES = yaml.safe_load((data.CHECKOUT / "awx/variables.example.yml").read_text(encoding="utf-8"))
# What stands for the role of infra.aap_configuration that makes inventories: it keeps what it was given.
TOLD = """
- ansible.builtin.copy:
    content: "{{ {'inventories': controller_inventories, 'enforce': aap_configuration_enforce_defaults | default(false),
      'enforce_inventories': controller_configuration_inventories_enforce_defaults} | to_json }}"
    dest: "{{ told }}"
    mode: "0600"
"""
EXAMPLE = "@awx/variables.example.yml"


def configure(*variables: str, collections: Path | None = None) -> tuple[int, str]:
    """The exit code and the words of awx/configure.yml; without collections the roles are not there."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "awx/configure.yml", "-i", "localhost,"]
    # Not one that is found on the path.
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    for one in variables:
        command += ["-e", one]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    if collections:
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(collections)
    done = subprocess.run(command, cwd=data.CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)


@pytest.fixture
def collections(tmp_path: Path) -> Path:
    """A folder of collections with something in the place of each role that configure.yml asks for."""
    folder = tmp_path / "collections"
    for kind in re.findall(
        r"^        - (\w+)$", (data.CHECKOUT / "awx/configure.yml").read_text(encoding="utf-8"), re.MULTILINE
    ):
        tasks = folder / f"ansible_collections/infra/aap_configuration/roles/controller_{kind}/tasks/main.yml"
        tasks.parent.mkdir(parents=True)
        tasks.write_text(TOLD if kind == "inventories" else "[]", encoding="utf-8")
    return folder


@pytest.fixture
def awx() -> Iterator[tuple[str, dict[str, Any]]]:
    """The address of a server that has one inventory, and the inventories that it tells, by the address that it knows."""
    known: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = known.get(urlsplit(self.path).path)
            allowed = self.headers["Authorization"] == f"Bearer {VALUES['aap_token']}"
            self.send_response(404 if found is None else 200 if allowed else 401)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"results": found}).encode())

        def log_message(self, *_words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", known
        server.shutdown()


def test_g4_a_missing_variable_is_named_before_anything_is_changed() -> None:
    code, said = configure(EXAMPLE, '{"webcluster_awx_ssh_user": "", "webcluster_awx_azure_secret": ""}')
    assert code != 0
    assert "webcluster_awx_azure_secret, webcluster_awx_ssh_user: not set or empty, expected a value" in said


def test_g4_an_access_token_needs_no_service_principal(
    collections: Path, tmp_path: Path, awx: tuple[str, dict[str, Any]]
) -> None:
    token = {"webcluster_awx_azure_access_token": "x"} | {
        f"webcluster_awx_azure_{name}": "" for name in ("tenant", "client", "secret")
    }
    awx[1]["/api/v2/inventories/"] = []
    told = {"told": str(tmp_path / "told"), "aap_hostname": awx[0]}
    code, said = configure(EXAMPLE, json.dumps(token), json.dumps(told), collections=collections)
    assert code == 0, said


@pytest.mark.parametrize("address", ["/api/v2/inventories/", "/api/controller/v2/inventories/"])
@pytest.mark.parametrize(
    ("present", "kept"),
    [
        ([], {}),
        ([{"variables": ""}], {}),
        ([{"variables": "---\nmine: 1\n"}], {"mine": 1}),
        ([{"variables": '{"mine": {"deep": [2]}}'}], {"mine": {"deep": [2]}}),
    ],
)
def test_g4_variables_that_were_given_to_the_inventory_by_hand_stay(
    collections: Path,
    tmp_path: Path,
    awx: tuple[str, dict[str, Any]],
    address: str,
    present: list[dict[str, str]],
    kept: dict[str, Any],
) -> None:
    awx[1][address] = present
    told = {"told": str(tmp_path / "told"), "aap_hostname": awx[0]}
    code, said = configure(EXAMPLE, json.dumps(told), collections=collections)
    assert code == 0, said
    given = json.loads((tmp_path / "told").read_text(encoding="utf-8"))
    assert [inventory["variables"] for inventory in given["inventories"]] == [kept]
    # For the two that fail without it, and not for what somebody has set by hand on the other objects.
    assert given["enforce_inventories"] is True
    assert given["enforce"] is False


def test_g4_a_token_that_is_refused_fails_the_run(collections: Path, awx: tuple[str, dict[str, Any]]) -> None:
    awx[1]["/api/v2/inventories/"] = []
    code, said = configure(EXAMPLE, json.dumps({"aap_hostname": awx[0], "aap_token": "wrong"}), collections=collections)
    assert code != 0
    assert "Make it so" not in said
