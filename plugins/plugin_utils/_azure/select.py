# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Which machines are wanted, and why another one is not."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import SettingsError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.read import Machine

PROVISIONING = ("Creating", "Updating", "Succeeded", "Failed", "Canceled", "Deleting", "Migrating")
STOPPED = frozenset({"stopped", "stopping", "deallocated", "deallocating"})
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Of a resource group, as Azure allows it, and with the wildcards that we add.
GROUP_NAME = re.compile(r"[\w.()*?\[\]!-]{1,90}")

TagRules = Mapping[str, Sequence[str]]


def is_pattern(value: str) -> bool:
    return any(mark in value for mark in "*?[")


def matches(value: str | None, patterns: Sequence[str]) -> bool:
    """Names of Azure are the same in upper and lower case; the patterns are in lower case already."""
    return value is not None and any(fnmatchcase(value.lower(), pattern) for pattern in patterns)


def tags_match(tags: Mapping[str, t.Any], rules: TagRules) -> str | None:
    """The first rule that the tags break, as a phrase; None where all hold. Values of tags have upper and lower case."""
    folded = {name.lower(): str(value) for name, value in tags.items()}
    for name, patterns in rules.items():
        value = folded.get(name.lower())
        if value is None:
            return f"it has no tag {name}"
        if not any(fnmatchcase(value, pattern) for pattern in patterns):
            return f"its tag {name} is '{value}'"
    return None


def tag_rules(option: str, value: t.Any) -> dict[str, list[str]]:
    """Rules as tags_match takes them, from what an operator writes: a value, a list of values, or nothing for any."""
    if not isinstance(value, Mapping):
        raise SettingsError(f"{option} is not a dictionary; expected tag names with a value, a list of values, or '*'.")
    rules = {}
    for name, wanted in value.items():
        several = wanted if isinstance(wanted, list) else ["*" if wanted is None else wanted]
        if not all(isinstance(one, str | int | float) for one in several):
            raise SettingsError(f"{option}.{name} is not text; expected a value, a list of values, or '*' for any.")
        rules[str(name)] = [str(one).lower() if isinstance(one, bool) else str(one) for one in several]
    return rules


@dataclass(frozen=True)
class Selection:
    """The operator's choice; patterns in lower case."""

    resource_groups: Sequence[str] = ()
    exclude_resource_groups: Sequence[str] = ()
    locations: Sequence[str] = ()
    tags: TagRules = field(default_factory=dict)
    include_stopped: bool = False
    exclude_tags: TagRules = field(default_factory=dict)
    exclude_provisioning: Sequence[str] = ()

    def against_group(self, resource_group: str | None) -> str | None:
        """Why nothing of this resource group is wanted."""
        if self.resource_groups and not matches(resource_group, self.resource_groups):
            return f"its resource group {resource_group} is not in resource_groups"
        if matches(resource_group, self.exclude_resource_groups):
            return f"its resource group {resource_group} is in exclude_resource_groups"
        return None

    def against_place(self, location: str | None) -> str | None:
        if self.locations and region(location or "") not in self.locations:
            return f"its location {location} is not in locations"
        return None

    def against(self, machine: Machine) -> str | None:
        """Why this machine is not wanted, before anything is known of its state and network."""
        facts = machine.facts
        reason = self.against_group(facts["resource_group"]) or self.against_place(facts["location"])
        if reason is None and self.tags:
            reason = tags_match(facts["tags"], self.tags)
        if reason is None:
            reason = self._against_tags(facts["tags"])
        if reason is None and (facts["provisioning_state"] or "").lower() == "deleting":
            reason = "it is being deleted"
        return reason

    def _against_tags(self, tags: Mapping[str, t.Any]) -> str | None:
        for name, patterns in self.exclude_tags.items():
            if tags_match(tags, {name: patterns}) is None:
                return f"its tag {name} is in exclude_tags"
        return None

    def unfinished(self, machine: Machine) -> bool:
        """Not or not well made by Azure yet."""
        return (machine.facts["provisioning_state"] or "").lower() in self.exclude_provisioning

    def against_state(self, power: str | None) -> str | None:
        if power in STOPPED and not self.include_stopped:
            return f"it is {power}, and include_stopped is false"
        return None


def region(name: str) -> str:
    """`West Europe` and `westeurope` are the same place."""
    return name.replace(" ", "").lower()


def selection(
    resource_groups: Sequence[str],
    exclude_resource_groups: Sequence[str],
    locations: Sequence[str],
    tags: t.Any,
    include_stopped: bool,
    exclude_tags: t.Any = None,
    exclude_provisioning: Sequence[str] = (),
) -> Selection:
    """The choice, checked."""
    for option, names in (("resource_groups", resource_groups), ("exclude_resource_groups", exclude_resource_groups)):
        for name in names:
            if not GROUP_NAME.fullmatch(name):
                raise SettingsError(f"{option} has '{name}'; expected the name of a resource group, * and ? allowed.")
    for state in exclude_provisioning:
        if state.lower() not in map(str.lower, PROVISIONING):
            raise SettingsError(
                f"exclude_provisioning_states has '{state}'; expected some of {', '.join(PROVISIONING)}: correct it."
            )
    return Selection(
        [name.lower() for name in resource_groups],
        [name.lower() for name in exclude_resource_groups],
        [region(name) for name in locations],
        tag_rules("tags", tags),
        include_stopped,
        tag_rules("exclude_tags", exclude_tags or {}),
        [state.lower() for state in exclude_provisioning],
    )


def checked_subscriptions(ids: Sequence[str]) -> list[str]:
    """The ids, each once, in lower case."""
    for one in ids:
        if not GUID.fullmatch(one):
            raise SettingsError(
                f"subscription_ids has '{one}'; expected the id of a subscription such as"
                " 11111111-2222-3333-4444-555555555555, not its name: see 'az account list'."
            )
    return list(dict.fromkeys(one.lower() for one in ids))
