# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What site.yml tells load balancers that share an address, from one setting of the inventory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, facts, run_playbook

OWN = {"lb1": "10.0.0.52", "lb2": "10.0.0.53"}
PASSWORD = "s3cretVR"
DOOR = {"url": "http://10.0.0.60/", "servers": {"web1": 3}, "reasons": [], "sites": {}}


def inventory(**variables: Any) -> dict[str, Any]:
    """Two load balancers before one web server."""
    balancers = {name: {"ansible_host": address} for name, address in OWN.items()}
    groups = {
        "haproxy": {"hosts": balancers, "vars": variables},
        "apache_php": {"hosts": {"web1": {"ansible_host": "10.0.0.4"}}},
    }
    return {"webcluster": {"vars": {"webcluster_sites": []}, "children": groups}}


def site(folder: Path, *more: Answer, **variables: Any) -> Run:
    told = [
        Answer(
            "setup", facts(more={"interfaces": ["eth0"], "eth0": {"device": "eth0", "ipv4": {"address": own}}}), name
        )
        for name, own in OWN.items()
    ]
    told += [Answer("setup", facts()), Answer("front_door", DOOR)]
    return run_playbook(CHECKOUT / "site.yml", inventory(**variables), [*more, *told], folder)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Run:
    settings = {"keepalived_address": "10.0.0.60/28", "keepalived_password": PASSWORD}
    run = site(tmp_path_factory.mktemp("shared"), **settings)
    assert run.code == 0, run.output
    return run


def lines(run: Run, host: str) -> list[str]:
    return [line.strip() for line in run.file(host, "keepalived.conf").content.splitlines()]


def test_each_is_told_of_the_other_and_the_first_comes_first(shared: Run) -> None:
    for host, other, priority in (("lb1", "lb2", 200), ("lb2", "lb1", 199)):
        told = lines(shared, host)
        assert {f"unicast_src_ip {OWN[host]}", f"priority {priority}", "10.0.0.60/28", f"auth_pass {PASSWORD}"} <= set(
            told
        )
        assert told[told.index("unicast_peer {") + 1] == OWN[other]
        assert any(line.endswith(f' http://{OWN[host]}:8404/livez"') for line in told)


def test_an_address_that_is_shared_no_more_is_taken_away_where_it_was(tmp_path: Path) -> None:
    looked = {"missing_packages": [], "findings": [], "present": [], "configured": ["haproxy", "keepalived"]}
    run = site(tmp_path, Answer("preflight", looked, "lb1"), Answer("stat", {"stat": {"exists": True}}, "lb1"))
    assert run.code == 0, run.output
    stopped = {host: [each["name"] for each in run.of(host, "systemd_service") if "name" in each] for host in OWN}
    assert stopped == {"lb1": ["keepalived"], "lb2": []}
    # Where there never was one, nobody looks again.
    assert run.of("lb2", "stat") == []


def test_a_web_server_hears_nothing_of_it(shared: Run) -> None:
    told = [arguments["name"] for arguments in shared.of("web1", "configured_service")]
    assert "keepalived" not in told
    assert PASSWORD not in str([call for call in shared.calls if call.host == "web1"])


@pytest.mark.parametrize(
    ("host", "wanted"), [("lb1", "ip saddr { 10.0.0.53 } "), ("lb2", "ip saddr { 10.0.0.52 } "), ("web1", "")]
)
def test_the_firewall_takes_vrrp_of_those_who_share_it(shared: Run, host: str, wanted: str) -> None:
    assert f"\t\t{wanted}meta l4proto 112 accept\n" in shared.file(host, "rules.nft").content


def test_the_verdict_looks_through_the_address_and_each_load_balancer(shared: Run) -> None:
    asked = [call.arguments["url"] for call in shared.calls if call.module == "front_door"]
    doors = ["http://10.0.0.60/", "http://10.0.0.52/", "http://10.0.0.53/"]
    assert [url for url in asked if url in doors] == doors
    assert PASSWORD not in shared.output


def test_what_cannot_be_shared_ends_the_run_before_anything_is_changed(tmp_path: Path) -> None:
    run = site(tmp_path, keepalived_address="10.0.1.60/28", keepalived_password=PASSWORD)
    assert run.code != 0
    assert (
        "keepalived_address is 10.0.1.60/28, but lb1 has the address 10.0.0.52; expected all that share it in"
        in " ".join(run.output.split())
    )
    assert {call.module for call in run.calls} <= {"setup", "preflight", "outdated_services"}


def test_what_follows_from_the_cluster_is_not_taken_from_the_inventory(tmp_path: Path) -> None:
    run = site(
        tmp_path, keepalived_address="10.0.0.60/28", keepalived_password=PASSWORD, keepalived_peers=["10.0.0.53"]
    )
    assert run.code != 0
    words = " ".join(run.output.split())
    assert "Variable keepalived_peers (lb1, lb2) is set, but follows from the whole cluster; expected none" in words
