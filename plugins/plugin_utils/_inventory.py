# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What is wrong with an inventory, a sentence each; nothing has been asked from a host yet."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible.errors import AnsibleError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._engines import (
    BACKUP_STORES,
    ENGINES,
    GROUPS,
    LIMITS,
    LOAD_BALANCERS,
    UPGRADES,
    WEB_SERVERS,
)
from ansible_collections.siteops.webcluster.plugins.plugin_utils._hosts import host_address, shared_errors
from ansible_collections.siteops.webcluster.plugins.plugin_utils._variables import (
    Options,
    nearest,
    one_line,
    resolve,
    short_list,
)
from jinja2 import UndefinedError

Groups = Mapping[str, Sequence[str]]
# The group that the playbooks run on.
CLUSTER = "webcluster"
# How a host is reached.
CONNECTION = (
    "ansible_host",
    "ansible_port",
    "ansible_user",
    "ansible_password",
    "ansible_become_password",
    "ansible_ssh_private_key_file",
    "ansible_ssh_common_args",
)


def cluster_hosts(groups: Groups) -> list[str]:
    """Every host of a tier, once."""
    return list(dict.fromkeys(name for group in GROUPS for name in groups.get(group, [])))


def no_value(names: str, reason: str) -> str:
    remedy = "give the vault's password (--vault-password-file)" if "decrypt" in reason else "set it"
    return f"No value for {names}: {reason}: {remedy}."


def group_errors(groups: Groups) -> list[str]:
    """A tier may be missing, but none may be there by halves or under another name."""
    errors = []
    ours = (CLUSTER, *GROUPS)
    for name in groups:
        near = None if name in ours else nearest(name, [group for group in ours if not groups.get(group)])
        if near and groups[name]:
            errors.append(f"Group {name} is none of ours and group {near} has no host; did you mean {near}?")
    if errors and not groups.get(CLUSTER):
        return errors
    if not cluster_hosts(groups):
        errors.append(
            f"No host is in any of the groups {', '.join(GROUPS)}: put your hosts into the inventory's groups."
        )
    strangers = [name for name in cluster_hosts(groups) if name not in groups.get(CLUSTER, [])]
    if strangers:
        errors.append(
            f"{short_list(strangers)}: not in group {CLUSTER}, which the playbooks run on; expected all tiers below it:"
            f" make their groups children of {CLUSTER}."
        )
    if groups.get(LOAD_BALANCERS) and not groups.get(WEB_SERVERS):
        errors.append(
            f"Group {LOAD_BALANCERS} has hosts, but group {WEB_SERVERS} has none; expected a web server to balance:"
            f" add one, or leave {LOAD_BALANCERS} empty."
        )
    for engine in ENGINES.values():
        primaries = list(groups.get(engine.primary_group, []))
        replicas = list(groups.get(engine.replica_group, []))
        if replicas and not primaries:
            errors.append(
                f"Group {engine.replica_group} has {short_list(replicas)}, but group {engine.primary_group} has no host;"
                " expected the first-day primary there: move it."
            )
        if len(primaries) > 1:
            errors.append(
                f"Group {engine.primary_group} names {len(primaries)} hosts ({', '.join(primaries)}); expected one"
                f" first-day primary: move the others to {engine.replica_group}."
            )
        errors += [
            f"Host {name} is in {engine.primary_group} and in {engine.replica_group}; expected one of them."
            for name in sorted(set(primaries) & set(replicas))
        ]
    return errors


def connection_errors(hosts: Mapping[str, Mapping[str, t.Any]]) -> list[str]:
    """Variables without a value that tell how a host is reached: Ansible itself would not name them."""
    broken: dict[tuple[str, str], list[str]] = {}
    for host, variables in hosts.items():
        for name in filter(variables.__contains__, CONNECTION):
            try:
                resolve(variables, name)
            except AnsibleError as error:
                broken.setdefault((name, one_line(error)), []).append(host)
    return [no_value(f"{name} ({short_list(names)})", reason) for (name, reason), names in broken.items()]


def twin_errors(hosts: Mapping[str, Mapping[str, t.Any]]) -> list[str]:
    """Hosts that share an address, as far as the inventory itself tells it."""
    addresses = {}
    for name, variables in hosts.items():
        try:
            addresses[name] = host_address(name, variables)
        except (AnsibleError, UndefinedError):
            # It needs the facts.
            continue
    return shared_errors(addresses)


# Options of releases in which the demo was no site.
FORMER_DEMO = "apache_php_demo_"


def secret_errors(groups: Groups, hostvars: Mapping[str, Mapping[str, t.Any]]) -> list[str]:
    """Secrets that the roles require and the inventory does not give, cannot give, or gives twice."""
    errors = []
    broken: dict[str, list[str]] = {}
    for engine in ENGINES.values():
        members = [name for group in engine.groups for name in groups.get(group, [])]
        for name in engine.secrets:
            lacking = [host for host in members if name not in hostvars[host]]
            if lacking:
                errors.append(
                    f"Variable {name} is not set for {short_list(lacking)}; expected a password: copy"
                    " group_vars/webcluster/secrets.yml of inventory/lab into your inventory, or set it from a vault."
                )
                continue
            values = []
            for host in members:
                try:
                    values.append(resolve(hostvars[host], name))
                except AnsibleError as error:
                    broken.setdefault(one_line(error), []).append(name)
            if any(value == "" for value in values):
                errors.append(f"Variable {name} is empty; expected a password: set it.")
            elif name != engine.option("admin_password") and len({str(value) for value in values}) > 1:
                errors.append(
                    f"Variable {name} is not the same on {short_list(members)}; expected one password for the whole tier."
                )
    return errors + [no_value(", ".join(dict.fromkeys(unset)), reason) for reason, unset in broken.items()]


def derived_options(options: Options) -> dict[str, str]:
    """Return the options that only the whole cluster can tell, each with what to set instead."""
    derived = {
        "haproxy_http_backends": f"the web servers are the hosts of group {WEB_SERVERS}",
        "haproxy_data_services": "the data servers are the hosts of their groups, the ports webcluster_<engine>_write_port"
        " and webcluster_<engine>_read_port",
        "haproxy_http_sites": "set webcluster_sites",
        "apache_php_sites": "set webcluster_sites",
    }
    # Elsewhere all servers would restart at once.
    derived |= dict.fromkeys(UPGRADES, "playbooks/rolling_update.yml upgrades, one server after the other")
    derived |= dict.fromkeys(
        ("keepalived_host_address", "keepalived_peers", "keepalived_priority", "keepalived_check_url"),
        f"who shares keepalived_address are the hosts of group {LOAD_BALANCERS}, in their order",
    )
    derived["firewall_vrrp_sources"] = "who may come by VRRP follows from keepalived_address"
    derived["firewall_flows"] = "what the cluster needs follows from its hosts, firewall_openings opens more"
    derived |= dict.fromkeys(
        ("backup_client_tiers", "backup_client_jobs", "backup_client_certificate", "backup_client_user"),
        f"who makes and keeps copies follows from the group {BACKUP_STORES} or from backup_client_repository",
    )
    derived["backup_store_users"] = "set backup_client_mysql_store_password and backup_client_redis_store_password"
    derived["firewall_keep_former"] = "site.yml closes ports when everybody has moved"
    derived["haproxy_data_ca_certificate"] = "set webcluster_ca_certificate"
    for limit, names in LIMITS.items():
        derived |= dict.fromkeys(names, f"set webcluster_{limit}")
    for key, engine in ENGINES.items():
        who = f"the primary is the live one, or on the first day the host of group {engine.primary_group}"
        for what in ("source_host", "source_port", "source_name"):
            derived[engine.option(what)] = derived[f"{engine.replica_group}_{what}"] = who
        derived[engine.option("keep_former")] = "site.yml keeps former passwords valid until everybody has moved"
        derived[engine.option("source_timeout")] = f"set {engine.replica_group}_timeout"
        for what in ("ca_certificate", "ca_private_key"):
            derived[engine.option(what)] = f"set webcluster_{what}"
        for what in ("seed_port", "allow_reseed"):
            derived[engine.option(f"source_{what}")] = f"set {engine.replica_group}_{what}"
        for what in ("user", "password"):
            derived[f"haproxy_{key}_monitor_{what}"] = f"set {engine.option(f'monitor_{what}')}"
    return {name: instead for name, instead in derived.items() if name in options}


def derived_errors(hosts: Mapping[str, Iterable[str]], options: Options) -> list[str]:
    """Variables whose value the playbooks derive: a value of the inventory would be lost without a word."""
    errors = []
    for name in dict.fromkeys(
        name for variables in hosts.values() for name in variables if name.startswith(FORMER_DEMO)
    ):
        setting = [host for host, variables in hosts.items() if name in variables]
        errors.append(
            f"Variable {name} ({short_list(setting)}) is set, but the demo is an entry of webcluster_sites now; expected none:"
            " remove it, and where you want no demo set webcluster_sites to your own list, or to []."
        )
    for name, instead in derived_options(options).items():
        setting = [host for host, variables in hosts.items() if name in variables]
        if setting:
            errors.append(
                f"Variable {name} ({short_list(setting)}) is set, but follows from the whole cluster; expected none:"
                f" remove it, {instead}."
            )
    return errors
