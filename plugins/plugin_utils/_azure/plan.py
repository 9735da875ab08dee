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
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.auth import MODES, AuthSettings
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.estate import Wanted
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.foreign import nearest
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.join import WAYS, Record
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.retry import Limits

# What a cached record must look like; another number makes the cache void.
RECORD_FORMAT = 1
# Options that choose among the machines.
CHOOSING = (
    "resource_groups", "exclude_resource_groups", "locations", "tags", "exclude_tags", "include_filters", "exclude_filters",
)  # fmt: skip
SAMPLES = {
    "hostname": '"{{ azure_name }}-{{ azure_resource_group }}"',
    "include_filters": "azure_tags.role == 'web'",
    "exclude_filters": "azure_location == 'northeurope'",
}
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
    connect_with: Sequence[str]
    hostnames: Sequence[str]
    include_filters: Sequence[str]
    exclude_filters: Sequence[str]
    prefix: str
    keep_half_built: bool
    every_subnet: bool
    short_groups: bool
    vnet_names: str
    roles: Mapping[str, Sequence[roles.Rule]]
    parents: Mapping[str, Sequence[str]]
    no_role: str
    two_roles: str
    mixed_roles: str
    merged_groups: str
    # What an operator has chosen by: nobody is told to set what is set.
    chosen_by: frozenset[str]

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
    given = get(option) or []
    # A template gives one text for the whole list.
    several = given.split(",") if isinstance(given, str) else given
    return [str(one).strip() for one in several if str(one).strip()]


def _word(get: Get, option: str) -> str | None:
    """An empty variable of the environment, such as AWX sets, is none; not of type path, which makes a folder of it."""
    value = str(get(option) or "").strip()
    return (os.path.expanduser(value) if option in PATHS else value) or None


def _mode(get: Get) -> str:
    mode = _word(get, "auth") or "auto"
    if mode not in MODES:
        near = nearest(mode, MODES)
        raise SettingsError(
            f"auth is '{mode}'; expected one of {', '.join(MODES)}: {f'did you mean {near}?' if near else 'correct it.'}"
        )
    return mode


def _expressions(get: Get, option: str) -> list[t.Any]:
    """Expressions of Jinja, one or a list; dictionaries, as other plugins have them there, say nothing here."""
    given = get(option)
    several = [] if given is None else given if isinstance(given, list) else [given]
    for one in several:
        if not isinstance(one, str | bool) or (isinstance(one, bool) and option == "hostname") or one == "":
            raise SettingsError(
                f"{option} has {one!r}; expected an expression of Jinja over the host's variables, such as"
                f" {SAMPLES[option]}: rewrite it."
            )
    return list(several)


def _ways(get: Get) -> list[str]:
    ways = _names(get, "connect_with")
    for way in ways:
        if way not in WAYS:
            near = nearest(way, WAYS)
            advice = f"did you mean {near}?" if near else "correct it, or use compose with ansible_host."
            raise SettingsError(f"connect_with has '{way}'; expected some of {', '.join(WAYS)}: {advice}")
    if not ways:
        raise SettingsError("connect_with is empty; expected at least one way, such as private_ip: add it.")
    return ways


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
        get("exclude_tags") or {},
        _names(get, "exclude_provisioning_states"),
    )
    plan = Plan(
        cloud=clouds.resolve(
            _word(get, "cloud") or "public", get("endpoint"), get("token_scope"), get("authority"), get("api_versions")
        ),
        auth=AuthSettings(_mode(get), **{name: _word(get, name) for name in AUTH_OPTIONS}),
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
        connect_with=_ways(get),
        hostnames=_expressions(get, "hostname"),
        include_filters=_expressions(get, "include_filters"),
        exclude_filters=_expressions(get, "exclude_filters"),
        prefix=get("hostvar_prefix") or "",
        keep_half_built=get("half_built") == "keep",
        every_subnet=get("group_by_subnet") == "all",
        short_groups=get("short_subnet_groups"),
        vnet_names=get("vnet_names"),
        roles=(given := roles.rules(get("role_groups") or {})),
        parents=roles.parents(roles.PARENTS if get("role_parents") is None else get("role_parents"), given),
        no_role=get("no_role"),
        two_roles=get("two_roles"),
        mixed_roles=get("mixed_roles"),
        merged_groups=get("merged_groups"),
        chosen_by=frozenset(option for option in CHOOSING if get(option)),
    )
    _check(plan, get("list_by"))
    return plan


def _check(plan: Plan, list_by: str) -> None:
    """Options that contradict each other."""
    wanted = plan.wanted
    if plan.prefix and not plan.prefix.isidentifier():
        raise SettingsError(f"hostvar_prefix is '{plan.prefix}'; expected letters, digits and _ such as 'azure_'.")
    needing = [way for way in plan.connect_with if way != "name"]
    if not wanted.network and needing:
        raise SettingsError(
            f"network_interfaces is false, and connect_with {needing[0]} needs them: set connect_with: name, or"
            " network_interfaces: true."
        )
    by_subnet = [role for role, several in plan.roles.items() if any(one.subnets for one in several)]
    if not wanted.network and by_subnet:
        raise SettingsError(
            f"network_interfaces is false, and role_groups.{by_subnet[0]} asks for a subnet: set network_interfaces: true,"
            " or choose by name and tags."
        )
    public = [way for way in plan.connect_with if way.startswith("public_")]
    if public and not wanted.public_ips:
        raise SettingsError(f"public_ips is false, and connect_with {public[0]} needs them: set public_ips: true.")
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
