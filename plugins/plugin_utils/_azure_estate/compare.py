# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""What of a resource that Azure holds is not as it is wanted; what it holds besides is no difference."""

from __future__ import annotations

import copy
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Json = dict[str, t.Any]
# By what an element of a list is known; a data disk by its place, since its name may be of other case.
MARKS = ("lun", "name", "id")
# A list that others may add to.
SHARED = "addressSpace"
# Whatever Azure adds to a resource and does not take back.
READ_ONLY = frozenset({"etag", "provisioningstate", "resourceguid"})


@dataclass(frozen=True)
class Difference:
    """A place in a resource, what is there, and what is wanted; `found` is None where nothing is."""

    path: str
    found: t.Any
    wanted: t.Any

    def __str__(self) -> str:
        # The word stands at each level of Azure's bodies.
        return f"{self.path.replace('properties.', '')} {_shown(self.found)} -> {_shown(self.wanted)}"


def _shown(value: t.Any) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, Mapping):
        return str(value.get("id") or value.get("name") or "(new)")
    return f"[{', '.join(map(_shown, value))}]" if isinstance(value, list) else str(value)


def member(holder: Mapping[str, t.Any], key: str) -> t.Any:
    """The value of a key in any case: Azure's services spell keys in several ways."""
    if key in holder:
        return holder[key]
    return next((value for name, value in holder.items() if name.lower() == key.lower()), None)


def mark_of(element: t.Any) -> tuple[str, str] | None:
    """By what an element of a list is known: its mark's name and value."""
    if not isinstance(element, Mapping):
        return None
    return next(((mark, str(value).lower()) for mark in MARKS if (value := member(element, mark)) is not None), None)


def find(elements: Sequence[t.Any], wanted: t.Any) -> t.Any:
    """The element of the same mark; None where there is none."""
    mark = mark_of(wanted)
    for element in elements:
        if mark and isinstance(element, Mapping) and str(member(element, mark[0])).lower() == mark[1]:
            return element
    return None


def differences(wanted: t.Any, found: t.Any, path: str = "") -> Iterator[Difference]:
    """Where `found` lacks or contradicts what is wanted."""
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            yield Difference(path, found, wanted)
            return
        for key, value in wanted.items():
            yield from differences(value, member(found, key), f"{path}.{key}" if path else key)
    elif isinstance(wanted, list):
        yield from _list_differences(wanted, found if isinstance(found, list) else [], path)
    elif not same(wanted, found, path):
        yield Difference(path, found, wanted)


def _list_differences(wanted: list[t.Any], found: list[t.Any], path: str) -> Iterator[Difference]:
    if wanted and mark_of(wanted[0]):
        for element in wanted:
            there, mark = find(found, element), mark_of(element)
            name = mark[1].rsplit("/", 1)[-1] if mark else ""
            if there is None:
                yield Difference(f"{path}[{name}]", None, element)
            else:
                yield from differences(element, there, f"{path}[{name}]")
    elif not _covers(found, wanted, path):
        yield Difference(path, found or None, wanted)


def _covers(found: list[t.Any], wanted: list[t.Any], path: str) -> bool:
    """Others may have added ranges to a network; a rule with one source more is another rule."""
    there, needed = {_folded(one) for one in found}, {_folded(one) for one in wanted}
    return needed <= there if SHARED in path else needed == there


def same(wanted: t.Any, found: t.Any, path: str) -> bool:
    """Ids and words of Azure are the same in any case; the values of tags are not."""
    if isinstance(wanted, str) and isinstance(found, str):
        return wanted == found if path.startswith("tags.") else _folded(wanted) == _folded(found)
    # Azure leaves out what is off.
    return bool(wanted == found) or (wanted is False and found is None)


def _folded(value: t.Any) -> str:
    return str(value).lower()


def extras(wanted: Sequence[t.Any], found: Sequence[t.Any]) -> list[str]:
    """Names of the elements that nobody asked for."""
    return [str(member(one, "name")) for one in found if isinstance(one, Mapping) and find(wanted, one) is None]


def merged(wanted: t.Any, found: t.Any, path: str = "") -> t.Any:
    """What Azure holds with what is wanted laid over it: a PUT without the rest would take the rest away."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        made: Json = cleaned(found)
        for key, value in wanted.items():
            there = next((name for name in made if name.lower() == key.lower()), key)
            made[there] = merged(value, made.get(there), f"{path}.{key}")
        return made
    if isinstance(wanted, list) and isinstance(found, list) and wanted and mark_of(wanted[0]):
        rest = [cleaned(one) for one in found if find(wanted, one) is None]
        return [*(merged(one, find(found, one), path) for one in wanted), *rest]
    if isinstance(wanted, list) and isinstance(found, list) and SHARED in path:
        return [*found, *(one for one in wanted if _folded(one) not in map(_folded, found))]
    return copy.deepcopy(wanted)


def _is_read_only(key: str, value: t.Any) -> bool:
    """The type of a resource is one too; that of an identity is not."""
    own_type = key.lower() == "type" and str(value).lower().startswith("microsoft.")
    return own_type or key.lower() in READ_ONLY


def cleaned(value: t.Any) -> t.Any:
    """Without what Azure does not take back."""
    if isinstance(value, Mapping):
        return {key: cleaned(one) for key, one in value.items() if not _is_read_only(key, one)}
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    return value
