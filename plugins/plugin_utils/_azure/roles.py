# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""From subnets, tags and names to the groups of the playbooks."""

from __future__ import annotations

import typing as t
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError, listed
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.join import Record
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.read import segment
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.select import (
    is_pattern,
    matches,
    tag_rules,
    tags_match,
)

KEYS = ("subnet", "name", "tags", "otherwise")
# Groups that Ansible has by itself.
RESERVED = ("all", "ungrouped")
# Groups of site.yml that have no hosts of their own.
PARENTS: dict[str, list[str]] = {
    "mysql": ["mysql_master", "mysql_replica"],
    "redis": ["redis_master", "redis_replica"],
    "webcluster": ["haproxy", "apache_php", "mysql", "redis"],
}


@dataclass(frozen=True)
class Rule:
    """All of what is given must hold."""

    subnets: Sequence[str] = ()
    names: Sequence[str] = ()
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    otherwise: bool = False

    def holds(self, record: Record, subnets: Iterable[Mapping[str, t.Any]]) -> bool:
        if self.subnets and not any(in_subnet(place, self.subnets) for place in subnets):
            return False
        if self.names and not matches(record["name"], self.names):
            return False
        return not self.tags or tags_match(record["tags"], self.tags) is None


@dataclass
class Assignment:
    """Which role each machine has; the machines are named by the index of their record."""

    members: dict[str, list[int]]
    without: list[int] = field(default_factory=list)
    doubles: list[tuple[int, list[str]]] = field(default_factory=list)


def _spelt(place: Mapping[str, t.Any], parts: int) -> str:
    names = [place["vnet_resource_group"] or "", place["vnet"], place["name"]]
    if parts > len(names):
        names.insert(0, segment(place["id"], "subscriptions") or "")
    return "/".join(names[-parts:]).lower()


# A subnet by as many parts of its id as its spelling has slashes, and one.
SPELLINGS: Sequence[Callable[[Mapping[str, t.Any]], str]] = [partial(_spelt, parts=parts) for parts in (1, 2, 3, 4)]
WORDS = ("subnet", "vnet/subnet", "resource_group/vnet/subnet", "subscription/resource_group/vnet/subnet")


def in_subnet(place: Mapping[str, t.Any], patterns: Sequence[str]) -> bool:
    """A subnet by its name, with network, resource group and subscription before it, or by its id; patterns are in lower case."""
    for pattern in patterns:
        slashes = pattern.count("/")
        spelt = SPELLINGS[slashes](place) if slashes < len(SPELLINGS) else place["id"].lower()
        if fnmatchcase(spelt, pattern):
            return True
    return False


def _texts(option: str, value: t.Any) -> list[str]:
    several = value if isinstance(value, list) else [value]
    if not several or not all(isinstance(one, str) and one.strip() for one in several):
        raise SettingsError(f"{option} is {value!r}; expected a name or a list of names, * and ? allowed.")
    return [one.strip().lower() for one in several]


def rule(option: str, value: t.Any) -> Rule:
    """One rule, from a subnet's name or a dictionary."""
    if isinstance(value, str):
        return Rule(subnets=_texts(option, value))
    if not isinstance(value, Mapping) or not value:
        raise SettingsError(f"{option} is {value!r}; expected a subnet, or a dictionary with {', '.join(KEYS)}.")
    unknown = [str(key) for key in value if key not in KEYS]
    if unknown:
        raise SettingsError(f"{option} has '{unknown[0]}'; expected only {', '.join(KEYS)}: correct or remove it.")
    otherwise = value.get("otherwise", False)
    if not isinstance(otherwise, bool):
        raise SettingsError(f"{option}.otherwise is {otherwise!r}; expected true or false.")
    if not any(value.get(key) for key in ("subnet", "name", "tags")):
        raise SettingsError(f"{option} would match every machine; expected a subnet, a name or tags: add one.")
    return Rule(
        subnets=_texts(f"{option}.subnet", value["subnet"]) if "subnet" in value else (),
        names=_texts(f"{option}.name", value["name"]) if "name" in value else (),
        tags=tag_rules(f"{option}.tags", value["tags"]) if "tags" in value else {},
        otherwise=otherwise,
    )


def rules(value: t.Any) -> dict[str, list[Rule]]:
    """The rules of each role; a machine has the role when one of them holds."""
    if not isinstance(value, Mapping):
        raise SettingsError(f"role_groups is {value!r}; expected a dictionary from group names to rules.")
    found = {}
    for role, given in value.items():
        if not isinstance(role, str) or not role.isidentifier():
            raise SettingsError(f"role_groups has the group '{role}'; expected letters, digits and _ only: rename it.")
        if role in RESERVED:
            raise SettingsError(f"role_groups has the group '{role}', which Ansible fills by itself: rename it.")
        several = given if isinstance(given, list) else [given]
        if not several:
            raise SettingsError(f"role_groups.{role} has no rule; expected at least one: add it, or remove the group.")
        single = len(several) == 1
        found[role] = [
            rule(f"role_groups.{role}" + ("" if single else f"[{index}]"), one) for index, one in enumerate(several)
        ]
    return found


def parents(value: t.Any, roles: Iterable[str]) -> dict[str, list[str]]:
    """Those parents that have a child among the roles, and only with such children."""
    if not isinstance(value, Mapping):
        raise SettingsError(f"role_parents is {value!r}; expected a dictionary from group names to lists of groups.")
    for parent, children in value.items():
        lists = isinstance(children, list) and all(
            isinstance(child, str) and child.isidentifier() for child in children
        )
        if not isinstance(parent, str) or not parent.isidentifier() or not lists:
            raise SettingsError(f"role_parents.{parent} is {children!r}; expected a list of group names.")
        if parent in RESERVED:
            raise SettingsError(f"role_parents has the group '{parent}', which Ansible fills by itself: rename it.")
    _refuse_circle(value)
    known = set(roles)
    found: dict[str, list[str]] = {}
    grown = True
    while grown:
        grown = False
        for parent, children in value.items():
            present = [child for child in children if child in known]
            if present and found.get(parent) != present:
                found[parent] = present
                known.add(parent)
                grown = True
    return found


def _refuse_circle(value: Mapping[str, Sequence[str]]) -> None:
    for start in value:
        ahead, seen = list(value[start]), set[str]()
        while ahead:
            group = ahead.pop()
            if group == start:
                raise SettingsError(
                    f"role_parents puts the group {start} below itself; expected no circle: remove one step."
                )
            if group not in seen:
                seen.add(group)
                ahead.extend(value.get(group, []))


def assign(records: Sequence[Record], roles: Mapping[str, Sequence[Rule]], every_subnet: bool) -> Assignment:
    """Give each machine its role; `otherwise` rules see only those that no other rule took."""
    result = Assignment({role: [] for role in roles})
    for index, record in enumerate(records):
        places = [place for place in record["subnets"] if every_subnet or place["primary"]]
        taken: list[str] = []
        for otherwise in (False, True):
            taken = [
                role
                for role, several in roles.items()
                if any(one.otherwise is otherwise and one.holds(record, places) for one in several)
            ]
            if taken:
                break
        if len(taken) == 1:
            result.members[taken[0]].append(index)
        elif taken:
            result.doubles.append((index, taken))
        else:
            result.without.append(index)
    return result


def mixed(
    records: Sequence[Record], roles: Mapping[str, Sequence[Rule]], assigned: Assignment, every_subnet: bool
) -> list[str]:
    """A sentence for each role that would be of several clusters: production and staging, made by one template, have the same names."""
    found = []
    for role, members in assigned.members.items():
        for one in roles[role]:
            taken = []
            for index in members:
                places = [place for place in records[index]["subnets"] if every_subnet or place["primary"]]
                if one.holds(records[index], places):
                    taken.append((records[index], places))
            sentence = _several_subnets(one, taken) if one.subnets else _several_subscriptions(taken)
            if sentence:
                found.append(f"role_groups.{role} {sentence}")
                break
    return found


Taken = Sequence[tuple[Record, Sequence[Mapping[str, t.Any]]]]


def _several_subnets(one: Rule, taken: Taken) -> str | None:
    for pattern in one.subnets:
        slashes = pattern.count("/")
        if slashes >= len(SPELLINGS) - 1:
            # Whoever writes the subscription means it.
            continue
        places = {
            place["id"].lower(): place for _record, found in taken for place in found if in_subnet(place, [pattern])
        }
        if len(places) < 2:
            continue
        if is_pattern(pattern):
            # A pattern may mean several subnets, but not those of the same names in two subscriptions.
            names = Counter(SPELLINGS[2](place) for place in places.values())
            places = {key: place for key, place in places.items() if names[SPELLINGS[2](place)] > 1}
        if len({key.rsplit("/subnets/", 1)[0] for key in places}) < 2:
            continue
        return (
            f"has the subnet '{pattern}', which stands for {listed(sorted(places))}; expected one cluster:"
            f" {_narrower(list(places.values()), slashes)}"
        )
    return None


def _narrower(places: Sequence[Mapping[str, t.Any]], slashes: int) -> str:
    """The least that must be written to mean one of these subnets."""
    for depth in range(slashes + 1, len(SPELLINGS)):
        names = [SPELLINGS[depth](place) for place in places]
        if len(set(names)) == len(names):
            return f"write it as {WORDS[depth]}, such as {min(names)}"
    return f"write its full id, such as {min(place['id'] for place in places)}"


def _several_subscriptions(taken: Taken) -> str | None:
    subscriptions = sorted({str(record["subscription_id"]).lower() for record, _places in taken})
    if len(subscriptions) < 2:
        return None
    names = listed(sorted(f"{record['name']} of {record['subscription_id']}" for record, _places in taken))
    return (
        f"takes machines of several subscriptions, {names}; expected one cluster: give the rule a subnet as {WORDS[3]}"
    )
