# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each filter, asked by its name as a playbook does, is the function that it promises."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

FOLDER = Path(__file__).parents[4] / "plugins" / "filter"
GROUPS = {
    "haproxy": ["lb"],
    "apache_php": ["web"],
    "mysql_master": ["db1"],
    "mysql_replica": ["db2"],
    "redis_master": ["r1"],
    "redis_replica": ["r2"],
}
HOSTVARS: dict[str, dict[str, t.Any]] = {
    name: {"ansible_host": f"10.0.0.{number}"} for number, [name] in enumerate(GROUPS.values(), 1)
}
# An expression for each filter, and what only its own function can make of it.
ASKED: dict[str, tuple[str, t.Callable[[t.Any], bool]]] = {
    "topology": (
        "groups | siteops.webcluster.topology(hostvars)",
        lambda found: found["engines"]["mysql"]["primary"]["name"] == "db1",
    ),
    "inventory_errors": (
        "{'haproxy': []} | siteops.webcluster.inventory_errors({})",
        lambda found: any("haproxy" in sentence for sentence in found),
    ),
    "data_servers": (
        "groups | siteops.webcluster.data_servers(hostvars)",
        lambda found: {server["host"] for server in found} == {"db1", "db2", "r1", "r2"},
    ),
    "host_errors": (
        "['db1'] | siteops.webcluster.host_errors({'db1': {'__webcluster_met': {'unreachable': true}}})",
        lambda found: len(found) == 1 and found[0].startswith("Host db1 cannot be reached over SSH"),
    ),
    "option_errors": (
        "'haproxy' | siteops.webcluster.option_errors({'haproxy_stats_port': 0})",
        lambda found: (
            found == ["Variable haproxy_stats_port has a wrong value: 0 is no port, expected 1 to 65535; correct it."]
        ),
    ),
    "cluster_report": (
        "(groups | siteops.webcluster.topology(hostvars)) | siteops.webcluster.cluster_report(hostvars, {})",
        lambda found: {row["server"] for row in found["servers"]} == set(HOSTVARS) and not found["healthy"],
    ),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_filter_does_what_its_name_says(name: str) -> None:
    expression, right = ASKED[name]
    templar = Templar(DataLoader(), variables={"groups": GROUPS, "hostvars": HOSTVARS})
    found = templar.template(trust_as_template("{{ " + expression + " }}"))
    assert right(found), found
