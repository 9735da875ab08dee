# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What the options ask for, checked as a whole before anything is asked from Azure."""

from __future__ import annotations

import hashlib
import json
import os
import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import clouds, roles, select
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.auth import AuthSettings
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.estate import Wanted
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.join import Record
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.retry import Limits

# What a cached record must look like; another number makes the cache void.
RECORD_FORMAT = 1
PATHS = ("certificate_path", "oidc_token_file")
AUTH_OPTIONS = tuple(name for name in AuthSettings.__dataclass_fields__ if name != "mode")

Get = Callable[[str], t.Any]


@dataclass(frozen=True)
class Plan:
    """Everything that the inventory is told to do."""

    cloud: clouds.Cloud
    auth: AuthSettings
    backend: str
    subscriptions: Sequence[str]
    wanted: Wanted
    limits: Limits
    workers: int
    deadline: float
    connect_with: str
    hostnames: Sequence[str]
    prefix: str
    keep_half_built: bool
    every_subnet: bool
    short_groups: bool
    qualified_groups: bool
    roles: Mapping[str, Sequence[roles.Rule]]
    parents: Mapping[str, Sequence[str]]
    no_role: str
    two_roles: str

    @property
    def fingerprint(self) -> str:
        """Changes with every option that decides what is read; the others work on what was read."""
        decisive = {
            "cloud": [self.cloud.endpoint, self.cloud.authority],
            "who": [self.auth.mode, self.auth.tenant_id, self.auth.client_id],
            "what": [self.backend, list(self.subscriptions), asdict(self.wanted)],
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True, default=list).encode()).hexdigest()


def _names(get: Get, option: str) -> list[str]:
    return [str(one).strip() for one in get(option) or [] if str(one).strip()]


def _word(get: Get, option: str) -> str | None:
    """An empty variable of the environment, such as AWX sets, is none; not of type path, which makes a folder of it."""
    value = str(get(option) or "")
    return (os.path.expanduser(value) if option in PATHS else value) or None


def _at_least(get: Get, option: str, least: float) -> float:
    value = float(get(option))
    if value < least:
        raise SettingsError(f"{option} is {value:g}; expected at least {least:g}: raise it.")
    return value


def make(get: Get) -> Plan:
    """The plan of an option reader; raises SettingsError with one sentence."""
    selection = select.selection(
        _names(get, "resource_groups"),
        _names(get, "exclude_resource_groups"),
        _names(get, "locations"),
        get("tags") or {},
        get("include_stopped"),
    )
    plan = Plan(
        cloud=clouds.resolve(get("cloud"), get("endpoint"), get("token_scope"), get("authority"), get("api_versions")),
        auth=AuthSettings(get("auth"), **{name: _word(get, name) for name in AUTH_OPTIONS}),
        backend=get("backend"),
        subscriptions=select.checked_subscriptions(_names(get, "subscription_ids")),
        wanted=Wanted(
            selection=selection,
            power_states=get("power_states"),
            network=get("network_interfaces"),
            public_ips=get("public_ips"),
            prefixes=get("subnet_prefixes"),
            scale_sets=get("include_uniform_scale_sets"),
            by_group=_names(get, "resource_groups") if get("list_by") == "resource_group" else (),
            nic_lookups=int(_at_least(get, "nic_lookups", 0)),
            allow_partial=get("allow_partial"),
        ),
        limits=Limits(
            _at_least(get, "timeout", 1), int(_at_least(get, "retries", 0)) + 1, _at_least(get, "retry_time", 0)
        ),
        workers=int(_at_least(get, "workers", 1)),
        deadline=_at_least(get, "deadline", 1),
        connect_with=get("connect_with"),
        hostnames=_names(get, "hostname"),
        prefix=get("hostvar_prefix") or "",
        keep_half_built=get("half_built") == "keep",
        every_subnet=get("group_by_subnet") == "all",
        short_groups=get("short_subnet_groups"),
        qualified_groups=get("vnet_names") == "qualified",
        roles=(given := roles.rules(get("role_groups") or {})),
        parents=roles.parents(roles.PARENTS if get("role_parents") is None else get("role_parents"), given),
        no_role=get("no_role"),
        two_roles=get("two_roles"),
    )
    _check(plan, get("list_by"))
    return plan


def _check(plan: Plan, list_by: str) -> None:
    """Options that contradict each other."""
    wanted = plan.wanted
    if plan.prefix and not plan.prefix.isidentifier():
        raise SettingsError(f"hostvar_prefix is '{plan.prefix}'; expected letters, digits and _ such as 'azure_'.")
    if not wanted.network and plan.connect_with != "name":
        raise SettingsError(
            f"network_interfaces is false, and connect_with {plan.connect_with} needs them: set connect_with: name, or"
            " network_interfaces: true."
        )
    by_subnet = [role for role, several in plan.roles.items() if any(one.subnets for one in several)]
    if not wanted.network and by_subnet:
        raise SettingsError(
            f"network_interfaces is false, and role_groups.{by_subnet[0]} asks for a subnet: set network_interfaces: true,"
            " or choose by name and tags."
        )
    if plan.connect_with == "public_ip" and not wanted.public_ips:
        raise SettingsError("public_ips is false, and connect_with public_ip needs them: set public_ips: true.")
    exact = wanted.by_group and not any(select.is_pattern(name) for name in wanted.by_group)
    if list_by == "resource_group" and not exact:
        raise SettingsError(
            "list_by resource_group needs the exact names of the groups; expected resource_groups without * and ?: name"
            " them, or set list_by: subscription."
        )
    if plan.backend == "resource_graph" and (wanted.scale_sets or list_by == "resource_group"):
        option = "include_uniform_scale_sets" if wanted.scale_sets else "list_by resource_group"
        raise SettingsError(f"backend resource_graph cannot do {option}: use backend: arm, or leave that option out.")


def pack(plan: Plan, records: Sequence[Record]) -> dict[str, t.Any]:
    """What goes into the cache. The records as one text: Ansible copies and compares cached objects one by one."""
    return {"format": RECORD_FORMAT, "fingerprint": plan.fingerprint, "records": json.dumps(records)}


def unpack(plan: Plan, cached: t.Any) -> list[Record] | None:
    """The records of the cache; None when they were read by other options or another version of this plugin."""
    if not isinstance(cached, Mapping) or cached.get("format") != RECORD_FORMAT:
        return None
    if cached.get("fingerprint") != plan.fingerprint:
        return None
    try:
        records: list[Record] = json.loads(cached["records"])
    except (KeyError, ValueError):
        return None
    return records
