# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rolling_update.yml tells each host, and in which order, over hosts that are not there."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import HEALTHY, INVENTORY, answers

PLAYBOOK = CHECKOUT / "playbooks/rolling_update.yml"
# What a server is, in the words of haproxy_server_info.
UP = {"state": "ready", "weight": 100, "status": "UP", "up": True, "sessions": 0}
OUT = {**UP, "state": "drain", "status": "DRAIN", "up": False}
# Who did what: modules that change something or decide whether to go on.
STEPS = ("haproxy_server", "apt", "systemd_service", "configured_service", "front_door")


def known(**servers: dict[str, Any]) -> Answer:
    return Answer("haproxy_server_info", {"backends": {"web": servers}})


def play(folder: Path, told: list[Answer], inventory: dict[str, Any] | None = None) -> Run:
    return run_playbook(PLAYBOOK, inventory or INVENTORY, [*told, *answers(HEALTHY, HEALTHY)], folder)


def two_load_balancers() -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(INVENTORY)
    found["webcluster"]["children"]["haproxy"]["hosts"]["lb2"] = {"ansible_host": "10.0.0.53"}
    return found


def steps(run: Run) -> list[str]:
    """The steps in their order."""
    found: list[str] = []
    for call in run.calls:
        if call.module in STEPS:
            what = call.arguments
            said = {
                "haproxy_server": f"{what.get('server')} {what.get('state')}",
                "apt": str(what.get("state")),
                "systemd_service": f"{what.get('name')} {what.get('state')}",
                "configured_service": str(what.get("name")),
                "front_door": f"{what.get('url')} {','.join(what.get('expect_servers') or [])}",
            }[call.module]
            found.append(f"{call.host}: {call.module} {said}")
    return found


def converged(host: str, *services: str) -> list[str]:
    """The packages are upgraded, and every service has what it has to run."""
    upgraded = {"haproxy": [f"{host}: apt latest"], "php8.4-fpm": [f"{host}: apt latest"]}
    return [step for name in services for step in (*upgraded.get(name, []), f"{host}: configured_service {name}")]


DOORS = {"lb": "http://10.0.0.52/", "lb2": "http://10.0.0.53/"}


def web_server(name: str, address: str, *balancers: str) -> list[str]:
    return [
        *(f"{balancer}: haproxy_server {name} drain" for balancer in balancers),
        *converged(name, "php8.4-fpm", "apache2", "haproxy"),
        f"{name}: front_door http://{address}/ {name}",
        *(f"{balancer}: haproxy_server {name} ready" for balancer in balancers),
        *(f"localhost: front_door {DOORS[balancer]} {name}" for balancer in balancers),
    ]


def load_balancer(name: str, other: str) -> list[str]:
    """There are newer packages for it, and the new program is started by a reload."""
    return [
        f"localhost: front_door {DOORS[other]} web1,web2",
        f"{name}: apt latest",
        f"{name}: systemd_service haproxy reloaded",
        f"{name}: configured_service haproxy",
        f"{name}: configured_service logrotate.timer",
        f"{name}: front_door {DOORS[name]} web1,web2",
        f"localhost: front_door {DOORS[name]} web1,web2",
    ]


@pytest.fixture(scope="module")
def updated(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A cluster that is well, and has a newer HAProxy for its load balancers."""
    newer = [Answer("apt", {"changed": True}, name) for name in DOORS]
    run = play(tmp_path_factory.mktemp("updated"), [known(web1=UP, web2=UP), *newer], two_load_balancers())
    assert run.code == 0, run.output
    return run


def test_one_server_after_the_other_is_taken_out_updated_looked_at_and_given_back(updated: Run) -> None:
    web1, web2 = web_server("web1", "10.0.0.4", *DOORS), web_server("web2", "10.0.0.5", *DOORS)
    # The last looks, at the site on each web server and through the front doors, are those of the verdict.
    doors = [f"{name}: front_door http://127.0.0.1/ " for name in ("web1", "web2")]
    doors += [f"localhost: front_door {url} web1,web2" for url in DOORS.values()]
    found = [*web1, *web2, *load_balancer("lb", "lb2"), *load_balancer("lb2", "lb")]
    assert steps(updated) == [*found, *doors]
    assert "VERDICT healthy" in updated.output


def test_the_data_servers_are_asked_and_left_alone(updated: Run) -> None:
    told = {call.module for call in updated.calls if call.host in ("db1", "db2", "redis1", "redis2")}
    assert told == {"setup", "replication_status"}


def test_the_plan_is_told_before_anything_is_changed(updated: Run) -> None:
    said = " ".join(updated.output.split())
    assert "Order: web1, then web2, then lb, then lb2." in said
    assert said.index("Order:") < said.index("PLAY [Update the web servers]")


def test_sessions_may_take_as_long_as_requests(updated: Run) -> None:
    taken = [each for each in updated.of("lb", "haproxy_server") if each["state"] == "drain"]
    assert [(each["backend"], each["timeout"]) for each in taken] == [("web", 60)] * 2


def test_it_begins_with_what_is_out_and_takes_out_nobody_while_another_is(tmp_path: Path) -> None:
    run = play(tmp_path, [known(web1=UP, web2=OUT)])
    assert run.code != 0
    assert steps(run) == web_server("web2", "10.0.0.5", "lb")
    assert "On lb nobody serves but web1; expected another web server that does: mend one first." in " ".join(
        run.output.split()
    )


def test_a_failure_ends_it_with_the_server_out_and_the_others_serving(tmp_path: Path) -> None:
    refused = Answer("configured_service", {"failed": True, "msg": "The new configuration does not run."}, "web1")
    run = play(tmp_path, [known(web1=UP, web2=UP), refused])
    assert run.code != 0
    drained = "lb: haproxy_server web1 drain"
    assert steps(run) == [drained, *converged("web1", "php8.4-fpm"), drained]
    said = " ".join(run.output.split())
    assert (
        "web1 could not be updated: Configure PHP-FPM and let it run what is configured: The new configuration does not run."
        " It stays drained, the others serve. Mend the cause and run again: the run begins with what is out."
    ) in said
