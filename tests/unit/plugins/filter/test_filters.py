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
from ansible_collections.siteops.webcluster.plugins.plugin_utils._acme import new_key

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
    name: {"ansible_host": f"10.0.0.{number}", "webcluster_sites": []}
    for number, [name] in enumerate(GROUPS.values(), 1)
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
    "site_errors": (
        "[{'name': 'shop', 'domains': []}] | siteops.webcluster.site_errors",
        lambda found: found == ["Site shop has no domain; expected one at least: add it, or remove the site."],
    ),
    "site_plan": (
        "[{'name': 'shop', 'domains': ['*']}] | siteops.webcluster.site_plan('apache_php_sites')",
        lambda found: found["default"]["user"] == "site-shop",
    ),
    "site_arguments": (
        "{'sites': [], 'arguments': {'r1': {}}} | siteops.webcluster.site_arguments('redis_server_extra_users', 'r1',"
        " {'redis_server_extra_users': [{'name': 'own'}]})",
        lambda found: found == [{"name": "own"}],
    ),
    "data_servers": (
        "groups | siteops.webcluster.data_servers(hostvars)",
        lambda found: {server["host"] for server in found} == {"db1", "db2", "r1", "r2"},
    ),
    "host_errors": (
        "['db1'] | siteops.webcluster.host_errors({'db1': {'__webcluster_met': {'unreachable': true}}})",
        lambda found: len(found) == 1 and found[0].startswith("Host db1 cannot be reached over SSH"),
    ),
    "virtual_address": (
        "{'keepalived_address': '10.0.0.60/28', 'keepalived_host_address': '10.0.0.52', 'keepalived_peers': ['10.0.0.53'],"
        " 'keepalived_password': 'x', 'keepalived_router_id': 51, 'keepalived_priority': 100,"
        " 'keepalived_check_url': 'http://h/'}"
        " | siteops.webcluster.virtual_address({'eth0': {'device': 'eth0', 'ipv4': {'address': '10.0.0.52'}}})",
        lambda found: found == {"errors": [], "interface": "eth0"},
    ),
    "proxy_errors": (
        "['10.0.0.4', 'lb.example'] | siteops.webcluster.proxy_errors('proxies')",
        lambda found: len(found) == 1 and found[0].startswith("proxies holds lb.example, expected addresses"),
    ),
    "option_errors": (
        "'haproxy' | siteops.webcluster.option_errors({'haproxy_stats_port': 0})",
        lambda found: (
            found == ["Variable haproxy_stats_port has a wrong value: 0 is no port, expected 1 to 65535; correct it."]
        ),
    ),
    "certificate_errors": (
        "[{'certificate': '', 'private_key': ''}] | siteops.webcluster.certificate_errors('mine')",
        lambda found: len(found) == 1 and found[0].startswith("mine, number 1: certificate holds no PEM certificate"),
    ),
    "acme_errors": (
        "[{'name': 'shop', 'domains': ['*.shop.example']}] | siteops.webcluster.acme_errors('no key', 'https://ca.example/')",
        lambda found: any("*.shop.example" in sentence for sentence in found),
    ),
    "acme_thumbprint": (
        "account_key | siteops.webcluster.acme_thumbprint",
        lambda found: len(found) == 43,
    ),
    "certificate_names": (
        "[] | siteops.webcluster.certificate_names",
        lambda found: found == [],
    ),
    "certificate_files": (
        "[{'certificate': 'a', 'private_key': 'b'}] | siteops.webcluster.certificate_files",
        lambda found: list(found.values()) == ["a\nb\n"],
    ),
    "firewall_openings": (
        "[{'port': 80, 'sources': ['10.0.0.4']}] | siteops.webcluster.firewall_openings([{'port': 80, 'sources': ['10.0.0.5']}])",
        lambda found: found == [{"protocol": "tcp", "port": 80, "sources": ["10.0.0.4/31"], "purpose": ""}],
    ),
    "firewall_errors": (
        "{'mine': [{'port': 22, 'sources': ['10.0.0.4']}]} | siteops.webcluster.firewall_errors({'address': '10.0.0.5', 'port': 22})",
        lambda found: len(found) == 1 and found[0].startswith("The firewall would leave out 10.0.0.5"),
    ),
    "update_plan": (
        "(groups | siteops.webcluster.topology(hostvars)) | siteops.webcluster.update_plan(hostvars, [], ['web', 'lb'])",
        lambda found: found["web"] == ["web"] and found["load_balancers"] == ["lb"],
    ),
    "update_errors": (
        "(groups | siteops.webcluster.topology(hostvars))"
        " | siteops.webcluster.update_errors([{'item': {'name': 'lb'}}], ['web'], ['web'])",
        lambda found: len(found) == 1 and found[0].startswith("HAProxy on lb has no server web;"),
    ),
    "site_sources": (
        "(groups | siteops.webcluster.topology(hostvars)) | siteops.webcluster.site_sources(hostvars, [], ['web'])",
        lambda found: found == {"pack": [], "build": [], "checkout": [], "notes": []},
    ),
    "site_releases": (
        "(groups | siteops.webcluster.topology(hostvars)) | siteops.webcluster.site_releases(hostvars, [], {})",
        lambda found: found == {},
    ),
    "release_request": (
        "(groups | siteops.webcluster.topology(hostvars)) | siteops.webcluster.release_request('shop', '1.4')",
        lambda found: found["errors"][0].startswith("Site 'shop' is not in webcluster_sites"),
    ),
    "release_plan": (
        "(groups | siteops.webcluster.topology(hostvars))"
        " | siteops.webcluster.release_plan(hostvars, [], 'shop', ['web'], 5, false, {})",
        lambda found: found["errors"][0].startswith("Site 'shop' is not in webcluster_sites"),
    ),
    "mysql_move_logins": (
        "(groups | siteops.webcluster.topology(hostvars)) | siteops.webcluster.mysql_move_logins(hostvars)",
        lambda found: (
            set(found) == {"db1", "db2"}
            and found["db2"]["name"] == "db2"
            and (found["db2"]["user"], found["db2"]["port"]) == ("replication", 3306)
        ),
    ),
    "mysql_switchover_plan": (
        "(groups | siteops.webcluster.topology(hostvars)) | siteops.webcluster.mysql_switchover_plan(hostvars, 'db2')",
        lambda found: found["errors"][-1].startswith("A planned move needs every server"),
    ),
    "mysql_promotion_plan": (
        "(groups | siteops.webcluster.topology(hostvars)) | siteops.webcluster.mysql_promotion_plan(hostvars, 'db2', 1.5)",
        lambda found: found["errors"] == ["MySQL on db2 does not answer: its host cannot be reached."],
    ),
    "mysql_rejoin_plan": (
        "(groups | siteops.webcluster.topology(hostvars)) | siteops.webcluster.mysql_rejoin_plan(hostvars, 'db1')",
        lambda found: found["errors"] == ["Expected one primary that db1 could follow: no other server takes writes."],
    ),
    "redis_members": (
        "(groups | siteops.webcluster.topology(hostvars)) | siteops.webcluster.redis_members("
        "{'r1': {'redis_server_admin_password': 'one'}, 'r2': {'redis_server_admin_password': 'two'}})",
        lambda found: (
            [(member["name"], member["login_password"]) for member in found] == [("r1", "one"), ("r2", "two")]
            and (found[1]["port"], found[1]["login_user"]) == (6378, "admin")
            and (found[1]["tls"], found[1]["ca_cert"]) == (True, "/etc/webcluster-redis-tls/ca.pem")
        ),
    ),
    "backup_windows": (
        "{'backups': {'db1': {'store': 's1'}}, 'copied': {'mysql': 'db1'}} | siteops.webcluster.backup_windows({'db1':"
        " {'__webcluster_backups': {'results': [{'item': 'mysql', 'unreachable': true}]}}})",
        lambda found: found == ["s1: broken: db1: was not looked at."],
    ),
    "htpasswd": (
        "'password' | siteops.webcluster.htpasswd",
        lambda found: found == "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
    ),
    "cluster_report": (
        "(groups | siteops.webcluster.topology(hostvars)) | siteops.webcluster.cluster_report(hostvars, {})",
        lambda found: {row["server"] for row in found["servers"]} == set(HOSTVARS) and not found["healthy"],
    ),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_filter_does_what_its_name_says(name: str) -> None:
    expression, right = ASKED[name]
    templar = Templar(DataLoader(), variables={"groups": GROUPS, "hostvars": HOSTVARS, "account_key": new_key()})
    found = templar.template(trust_as_template("{{ " + expression + " }}"))
    assert right(found), found
