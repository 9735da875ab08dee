# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job of AWX is given by credentials reaches the hosts that need it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.siteops.webcluster.plugins.plugin_utils._acme import new_key
from ansible_collections.siteops.webcluster.tests.awx import data
from ansible_collections.siteops.webcluster.tests.pretended_hosts import CHECKOUT, Answer, Run, facts, run_playbook
from ansible_collections.siteops.webcluster.tests.unit.playbooks.test_playbooks import (
    AUTHORITY,
    FRESH,
    HEALTHY,
    INVENTORY,
    answers,
)

VALUES = yaml.safe_load((data.CHECKOUT / "awx/variables.example.yml").read_text(encoding="utf-8"))
ACCOUNT = new_key()
CA = dict(zip(("webcluster_ca_certificate", "webcluster_ca_private_key"), AUTHORITY, strict=True))
GIVEN = {
    "webcluster_awx_secrets": {**VALUES["webcluster_awx_secrets"], **CA},
    "webcluster_awx_balancer_secrets": {"keepalived_password": "s3cretVR", "haproxy_acme_account_key": ACCOUNT},
    "webcluster_awx_backup_secrets": {
        f"backup_client_{tier}_{use}": f"copies-of-{tier}-{use}"
        for tier in ("mysql", "redis")
        for use in ("password", "store_password")
    },
}
SITE = {"name": "shop", "domains": ["shop.example"], "certificate": {"acme": True}}
OWN = {"lb": "10.0.0.52", "lb2": "10.0.0.53"}
ASKED = {"sites": {"shop": {"ok": True, "problem": "", "status": 200}}, "certificates": {"shop.example": ""}}
PASSWORDS = {"mysql": "x", "redis": "y"}


def job(folder: Path) -> Run:
    """site.yml as AWX starts it for two load balancers that share an address, with a store for copies and ACME."""
    objects = data.objects(data.load(), {**VALUES, **GIVEN})
    [template] = [item for item in objects["controller_templates"] if item["playbook"] == "playbooks/site.yml"]
    kinds = {item["name"]: item for item in objects["controller_credential_types"]}
    injected: dict[str, Any] = {"awx_job_id": 1}
    for item in objects["controller_credentials"]:
        if item["name"] in template["credentials"] and item["credential_type"] in kinds:
            injected |= data.injected(kinds[item["credential_type"]], item["inputs"], "extra_vars")
    injected["webcluster_site_passwords"] = json.dumps({"shop": PASSWORDS})
    (folder / "injected").write_text(data.job_yaml(injected), encoding="utf-8")
    inventory: dict[str, Any] = copy.deepcopy(INVENTORY)
    children = inventory["webcluster"]["children"]
    children["haproxy"] = {
        "hosts": {name: {"ansible_host": address} for name, address in OWN.items()},
        "vars": {"keepalived_address": "10.0.0.60/28"},
    }
    children["backup_store"] = {"hosts": {"store": {"ansible_host": "10.0.0.70"}}}
    inventory["webcluster"]["vars"] |= {"webcluster_sites": [SITE], "apache_php_memory_mb": 1024}
    told = [
        Answer(
            "setup", facts(more={"interfaces": ["eth0"], "eth0": {"device": "eth0", "ipv4": {"address": own}}}), name
        )
        for name, own in OWN.items()
    ]
    told.append(
        Answer("front_door", {"reasons": [], "servers": {"web1": 1, "web2": 1}, "url": "https://10.0.0.60/", **ASKED})
    )
    told.append(Answer("backup_info", {"configured": True, "copies": [1]}))
    told += answers(dict.fromkeys(HEALTHY, FRESH), HEALTHY)
    return run_playbook(CHECKOUT / "site.yml", inventory, told, folder, "-e", f"@{folder / 'injected'}")


def test_the_secrets_of_credentials_reach_their_hosts_and_nothing_else(tmp_path: Path) -> None:
    run = job(tmp_path)
    assert run.code == 0, run.output

    def hosts(secret: str) -> set[str]:
        return {call.host for call in run.calls if secret in json.dumps([call.arguments, call.content])}

    copies = GIVEN["webcluster_awx_backup_secrets"]
    assert hosts(GIVEN["webcluster_awx_balancer_secrets"]["keepalived_password"]) == set(OWN)
    assert {run.file(host, "account.pem").content for host in OWN} == {ACCOUNT}
    assert hosts(ACCOUNT.splitlines()[1]) == set(OWN)
    for tier, servers in (("mysql", {"db1", "db2"}), ("redis", {"redis1", "redis2"})):
        assert hosts(copies[f"backup_client_{tier}_password"]) == {*servers, "store"}
        # The store keeps a hash.
        assert hosts(copies[f"backup_client_{tier}_store_password"]) == servers
        assert f"\n{tier}:{{SHA}}" in run.file("store", "users").content
    assert not [secret for given in GIVEN.values() for secret in given.values() if secret in run.output]
