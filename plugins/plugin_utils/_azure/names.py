# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Names of hosts: one for each machine, and none that Ansible would take for a group."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.errors import InventoryError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.join import Record
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.read import segment
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.roles import PARENTS

# Ansible's names for the machine that it runs on itself.
OWN_MACHINE = ("localhost", "127.0.0.1", "::1")
# What Ansible cannot address as one host, or would look for in another folder.
ODD = re.compile(r"[\s,/\\]|^[!&~@-]")
# What names may be made of, the shortest first.
PARTS = (
    ("name", "resource_group"),
    ("name", "subscription_id"),
    ("name", "resource_group", "subscription_id"),
    ("name", "vm_id"),
)


def fixed_groups() -> dict[str, str]:
    """Groups that are there whatever the options say: a play for one of them would run on a host of that name."""
    of_playbook = dict.fromkeys([*PARENTS, *(child for children in PARENTS.values() for child in children)])
    return {
        **dict.fromkeys(of_playbook, "a group of site.yml"),
        **dict.fromkeys(OWN_MACHINE, "Ansible's name for the machine that it runs on"),
        **dict.fromkeys(("all", "ungrouped"), "a group that Ansible fills by itself"),
    }


def _template(prefix: str, parts: Iterable[str]) -> str:
    return 'hostname: ["' + "-".join(f"{{{{ {prefix}{part} }}}}" for part in parts) + '"]'


def _values(record: Record, parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(record[part]).lower() for part in parts)


def remedy(records: Sequence[Record], prefix: str, hostname_is_set: bool, twins: Sequence[Record]) -> str:
    """How to give every machine a name of its own; who has set hostname is told what it must hold."""
    if hostname_is_set:
        parts = [parts[-1] for parts in PARTS if len(parts) == 2]
        differing = [part for part in parts if len({_values(one, (part,)) for one in twins}) == len(twins)]
        if len(twins) > 1 and differing:
            return f"they differ in {prefix}{differing[0]}: put it into the expressions of hostname."
        return "change the expressions of hostname."
    unique = [parts for parts in PARTS if len({_values(one, parts) for one in records}) == len(records)]
    return f"set hostname, for example {_template(prefix, [*unique, PARTS[-1]][0])}."


def refuse_odd(records: Sequence[Record], names: Sequence[str]) -> None:
    """A name that could be a pattern or a path, as hostname may make it of a tag."""
    for record, name in zip(records, names, strict=True):
        if ODD.search(name):
            raise InventoryError(
                f"The machine {record['id']} would be called '{name}'; expected a name without white space, commas and slashes,"
                " and with a letter or digit first: change the expressions of hostname."
            )


def refuse_twins(records: Sequence[Record], names: Sequence[str], prefix: str, hostname_is_set: bool) -> None:
    """Two machines of one name: one would hide the other."""
    taken: dict[str, Record] = {}
    for record, name in zip(records, names, strict=True):
        if name in taken:
            twins = [taken[name], record]
            raise InventoryError(
                f"Two machines would be called {name}: {twins[0]['id']} and {record['id']}; expected a name for each:"
                f" {remedy(records, prefix, hostname_is_set, twins)}"
            )
        taken[name] = record


def refuse_groups(
    records: Sequence[Record], names: Sequence[str], groups: Mapping[str, str], prefix: str, hostname_is_set: bool
) -> None:
    """A machine with the name of a group; `groups` says of each what it is."""
    for record, name in zip(records, names, strict=True):
        if name in groups:
            raise InventoryError(
                f"The machine {record['id']} would be called {name}, which is {groups[name]}, and Ansible would take one for"
                f" the other; expected another name: {remedy(records, prefix, hostname_is_set, [])}"
            )


def azure_id(variables: Mapping[str, t.Any]) -> str | None:
    """The id of the machine behind a host that another inventory source has made, whatever its prefix."""
    return next(
        (
            value
            for name, value in variables.items()
            if name.endswith("id") and isinstance(value, str) and "/virtualmachines/" in value.lower()
        ),
        None,
    )


def refuse_strangers(
    records: Sequence[Record],
    names: Sequence[str],
    others: Mapping[str, Mapping[str, t.Any]],
    prefix: str,
    hostname_is_set: bool,
) -> None:
    """A host of another inventory source that is another machine: its variables would be overwritten."""
    for record, name in zip(records, names, strict=True):
        other = azure_id(others[name]) if name in others else None
        if other and other.lower() != record["id"].lower():
            twin = {
                "name": record["name"],
                "resource_group": segment(other, "resourceGroups"),
                "subscription_id": segment(other, "subscriptions"),
                "vm_id": other,
            }
            raise InventoryError(
                f"Two machines would be called {name}: {record['id']}, and {other} of another inventory source; expected a"
                f" name for each: {remedy([*records, twin], prefix, hostname_is_set, [record, twin])}"
            )
