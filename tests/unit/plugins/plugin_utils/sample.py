# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small cluster in an inventory's words, for the tests of what is made of it."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from ansible_collections.siteops.webcluster.plugins.plugin_utils import _cluster_ca, _engines, _topology

Groups = dict[str, list[str]]
Hostvars = dict[str, dict[str, t.Any]]

ADDRESSES = {
    "lb": "10.0.0.52",
    "web1": "10.0.0.4",
    "web2": "10.0.0.5",
    "db1": "10.0.0.20",
    "db2": "10.0.0.21",
    "db3": "10.0.0.22",
    "r1": "10.0.0.36",
    "r2": "10.0.0.37",
    "all1": "10.0.0.99",
    "store1": "10.0.0.68",
}
SECRETS = {name: f"secret of {name}" for engine in _engines.ENGINES.values() for name in engine.secrets}
DEMO_PASSWORDS = {key: f"secret of the demo for {key}" for key in _engines.ENGINES}

AUTHORITY = dict(
    zip(
        ("webcluster_ca_certificate", "webcluster_ca_private_key"),
        _cluster_ca.make_authority(datetime.now(UTC)),
        strict=True,
    )
)


def groups(**changed: list[str]) -> Groups:
    """The groups of the usual cluster, or others."""
    usual: Groups = {
        "haproxy": ["lb"],
        "apache_php": ["web1", "web2"],
        "mysql_master": ["db1"],
        "mysql_replica": ["db2", "db3"],
        "redis_master": ["r1"],
        "redis_replica": ["r2"],
    }
    found = {**usual, **changed}
    return {**found, "webcluster": list(dict.fromkeys(name for names in found.values() for name in names))}


def look(
    role: str = "", source: str = "", empty: bool | None = None, value: str = "", state: str = "", **more: t.Any
) -> dict[str, t.Any]:
    """What replication_status says of a server."""
    return {
        "role": role,
        "state": state or ("healthy" if role else "unreachable"),
        "msg": "said so",
        "primary": {"host": source},
        "data": {"empty": empty},
        "checks": {"reachable": {"value": value}},
        **more,
    }


def looks(engine: str, host: str, answer: dict[str, t.Any]) -> dict[str, t.Any]:
    """What a loop over one host's data servers registers."""
    return {"results": [{"item": {"engine": engine, "host": host}, **answer}]}


FRESH = look(value="not_installed")


def hostvars(of: Groups, **changed: t.Any) -> Hostvars:
    """Variables of the hosts, on which nothing is installed yet; a change is for one host, or for all hosts of a group."""
    found: Hostvars = {
        name: {
            "ansible_host": ADDRESSES[name],
            "group_names": [group for group, names in of.items() if name in names],
            "__webcluster_looks": {
                "results": [
                    {"item": {"engine": key, "host": name}, **FRESH}
                    for key, engine in _engines.ENGINES.items()
                    if any(name in of[group] for group in engine.groups)
                ]
            },
            **SECRETS,
            "webcluster_site_passwords": {"demo": DEMO_PASSWORDS},
            **AUTHORITY,
        }
        for name in of["webcluster"]
    }
    for target, variables in changed.items():
        for name in of.get(target, [target]):
            found[name].update(variables)
    return found


def topology(of: Groups | None = None, must_answer: t.Sequence[str] = (), **changed: t.Any) -> _topology.Topology:
    of = of or groups()
    return _topology.topology(of, hostvars(of, **changed), must_answer=must_answer)
