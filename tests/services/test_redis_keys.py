# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys go by their prefix, from a real primary and its replica, and others stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.modules import redis_keys
from ansible_collections.siteops.webcluster.tests.checkers import need
from ansible_collections.siteops.webcluster.tests.loopback import wait_for
from ansible_collections.siteops.webcluster.tests.loopback_redis import PASSWORD, RealServer, RealTier

# More than one batch, in two databases, and names that only look alike.
GOING = {"0": [f"shop[1]:{number}" for number in range(1200)], "3": ["shop[1]:far"]}
STAYING = {"0": ["shop1:x", "shop:x", "other"], "3": ["x:shop[1]:"]}


def fill(server: RealServer) -> None:
    for database in GOING:
        server.client.command("SELECT", database)
        for name in [*GOING[database], *STAYING[database]]:
            server.client.command("SET", name, "1")
    server.client.command("SELECT", "0")


def names(server: RealServer) -> dict[str, set[str]]:
    found = {}
    for database in GOING:
        server.client.command("SELECT", database)
        reply = server.client.command("KEYS", "*")
        assert isinstance(reply, list)
        found[database] = set(map(str, reply))
    server.client.command("SELECT", "0")
    return found


@pytest.fixture
def tier(tmp_path: Path) -> Iterator[RealTier]:
    need("redis-server")
    with RealTier(tmp_path, "redis1", "redis2") as found:
        fill(found.servers["redis1"])
        yield found


def run(capsys: pytest.CaptureFixture[str], port: int, *absent: str, **more: Any) -> dict[str, Any]:
    login = {"login_port": port, "login_user": "default", "login_password": PASSWORD, "login_file": "/nowhere"}
    with patch_module_args({**login, "absent": list(absent), **more}), pytest.raises(SystemExit):
        redis_keys.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_keys_of_a_prefix_go_and_all_others_stay(tier: RealTier, capsys: pytest.CaptureFixture[str]) -> None:
    primary, replica = tier.servers.values()
    before = names(primary)
    told = run(capsys, primary.port, "shop[1]:", _ansible_check_mode=True)
    assert (told["changed"], told["removed"]) == (True, {"shop[1]:": 1201})
    assert names(primary) == before
    assert run(capsys, primary.port, "shop[1]:")["removed"] == {"shop[1]:": 1201}
    staying = {database: set(found) for database, found in STAYING.items()}
    assert names(primary) == staying
    wait_for(lambda: names(replica) == staying)
    assert run(capsys, primary.port, "shop[1]:")["changed"] is False


def test_what_cannot_be_is_refused_in_a_sentence(tier: RealTier, capsys: pytest.CaptureFixture[str]) -> None:
    primary, replica = tier.servers.values()
    wait_for(lambda: names(replica) == names(primary))
    assert "READONLY" in run(capsys, replica.port, "shop[1]:")["msg"]
    assert run(capsys, primary.port, "")["msg"].startswith("absent holds an empty prefix, which all keys begin with")
    primary.kill()
    assert run(capsys, primary.port, "shop[1]:")["msg"].startswith(
        f"The server at 127.0.0.1:{primary.port} cannot be asked"
    )
    # The first run of a cluster is looked at before a server is there.
    assert run(capsys, primary.port, "shop[1]:", _ansible_check_mode=True)["changed"] is False
