# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When site.yml opens and closes the hosts' ports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.siteops.webcluster.plugins.plugin_utils._networks import ANYWHERE
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    ADDRESSES,
    HEALTHY,
    INVENTORY,
    answers,
)
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_sentences import inventory

UNIT = "webcluster-firewall"
SSH = {"protocol": "tcp", "port": 22, "sources": ANYWHERE, "purpose": "SSH"}
# A web server that is gone by now.
FORMER = {"protocol": "tcp", "port": 3306, "sources": ["10.0.0.9"], "purpose": "MySQL"}
LOOK = {
    "nftables": True,
    "loaded": True,
    "openings": None,
    "ssh_ports": [22],
    "connection": {"address": "192.0.2.7", "port": 22},
    "listening": [],
}


def look(host: str = "", **more: Any) -> Answer:
    return Answer("firewall_info", {**LOOK, **more}, host)


def site(folder: Path, *options: str, told: tuple[Answer, ...] = (look(),), looks: Any = None) -> Run:
    return run_playbook(
        CHECKOUT / "site.yml", INVENTORY, [*told, *answers(looks or HEALTHY, HEALTHY)], folder, *options
    )


def written(run: Run, host: str) -> list[dict[int, list[str]]]:
    """The sources of each port, each time a host was given its openings."""
    texts = [
        file["content"]
        for call in run.of(host, "configured_service")
        if call["name"] == UNIT
        for file in call["files"]
        if file["path"].endswith("/openings.json")
    ]
    return [{entry["port"]: entry["sources"] for entry in json.loads(text)} for text in texts]


def moments(run: Run, module: str, name: str = "") -> list[int]:
    return [
        at
        for at, call in enumerate(run.calls)
        if call.module == module and (not name or call.arguments.get("name") == name)
    ]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A cluster with firewalls, one of which still lets in a host that is gone."""
    told = (look("db1", openings=[SSH, FORMER]), look("web1", openings=[SSH]), look())
    # Tags that nothing of ours has leave nothing out; molecule skips these.
    run = site(tmp_path_factory.mktemp("moved"), "--skip-tags", "molecule-notest,notest", told=told)
    assert run.code == 0, run.output
    return run


def test_new_sources_are_let_in_before_and_former_ones_until_everybody_has_moved(moved: Run) -> None:
    wanted = [ADDRESSES["web1"] + "/31", ADDRESSES["db2"]]
    first, last = written(moved, "db1")
    assert first[3306] == [wanted[0], "10.0.0.9", wanted[1]]
    assert last[3306] == wanted
    # What has nothing to close is written once.
    assert written(moved, "web1") == [{22: ANYWHERE, 80: [ADDRESSES["lb"]]}]
    firewalls, others = moments(moved, "configured_service", UNIT), moments(moved, "configured_service")
    between = [at for at in others if at not in firewalls]
    assert firewalls[0] < min(between) < max(between) < firewalls[-1] < max(moments(moved, "front_door"))


def test_a_host_that_is_open_is_closed_at_the_end(moved: Run) -> None:
    assert written(moved, "lb") == [{22: ANYWHERE, 80: ANYWHERE, 443: ANYWHERE}]
    closed = [at for at in moments(moved, "configured_service", UNIT) if moved.calls[at].host == "lb"]
    assert min(closed) > max(moments(moved, "file_tree"))


@pytest.mark.parametrize("options", [["--limit", "!web1"], ["--tags", "firewall"], ["--skip-tags", "haproxy"]])
def test_a_run_that_leaves_something_out_closes_nothing(options: list[str], tmp_path: Path) -> None:
    run = site(tmp_path, *options, told=(look("db1", openings=[SSH, FORMER]), look()))
    assert [each[3306][-2] for each in written(run, "db1")] == ["10.0.0.9"], run.output
    assert written(run, "lb") == []
    said = " ".join(run.output.split())
    assert "db1 stays open where nobody needs it, as this run left out hosts or tags: a run of all closes it." in said


def test_every_tag_that_can_leave_something_out_is_known() -> None:
    [known] = [
        play["vars"]["__webcluster_tags"]
        for play in yaml.safe_load((CHECKOUT / "playbooks/site.yml").read_text(encoding="utf-8"))
        if "__webcluster_tags" in play.get("vars", {})
    ]
    texts = [path.read_text(encoding="utf-8") for path in (CHECKOUT / "playbooks").rglob("*.yml")]
    found = {
        tag.strip() for text in texts for tags in re.findall(r"(?m)tags: \[(.*?)\]", text) for tag in tags.split(",")
    }
    assert found | {"all", "tagged"} == set(known)


def test_a_run_of_one_tier_leaves_the_firewalls_alone(tmp_path: Path) -> None:
    run = site(tmp_path, "--tags", "haproxy")
    assert moments(run, "firewall_info") == []


def test_a_host_that_would_lock_the_run_out_ends_it_before_anything_is_changed(tmp_path: Path) -> None:
    hosts = inventory(firewall_ssh_sources=["192.0.2.0/24"])
    told = [look("db2", connection={"address": "198.51.100.7", "port": 22}), look(openings=[SSH])]
    run = run_playbook(CHECKOUT / "site.yml", hosts, [*told, *answers(HEALTHY, HEALTHY)], tmp_path)
    assert run.code != 0
    assert "The firewall would leave out 198.51.100.7, from where this run comes to port 22" in " ".join(
        run.output.split()
    )
    assert moments(run, "configured_service") + moments(run, "file_tree") + moments(run, "apt") == []


def test_a_switch_takes_it_off_one_host(tmp_path: Path) -> None:
    told = [look(openings=[SSH]), *answers(HEALTHY, HEALTHY)]
    run = run_playbook(CHECKOUT / "site.yml", inventory(firewall_enabled=False), told, tmp_path)
    assert run.code == 0, run.output
    assert moments(run, "configured_service", UNIT) == []
    stopped = [call["name"] for call in run.of("web2", "systemd_service") if call.get("state") == "stopped"]
    assert stopped == [UNIT]
