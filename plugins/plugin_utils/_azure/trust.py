# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Which variables are plain text for whoever reads the exported inventory.

Ansible exports a string that it does not trust as {"__ansible_unsafe": "..."}, which no filter of AWX can match. A checked
address, name or id holds nothing that a template could be made of; what people and machines write freely stays untrusted.
"""

from __future__ import annotations

import re
import typing as t

from ansible.template import trust_as_template

# Written by anybody who may tag a machine, or reported by the machine itself.
UNTRUSTED = frozenset({"tags", "os_name", "os_version"})
# Letters, digits and what stands between them in addresses, names, ids and times: no mark that begins a template.
CHECKED = re.compile(r"[\w./:()+-][\w./:()+ -]*")
# An address, or a name as DNS has it.
PLACE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.:-]*[A-Za-z0-9_])?|[0-9a-fA-F:]+")


class Trust:
    """Marks what may be trusted; each text once, because marking is dear and most texts stand at many machines."""

    def __init__(self) -> None:
        self._marked: dict[str, str] = {}

    def facts(self, facts: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """The variables of a machine, by their names without prefix."""
        return {name: value if name in UNTRUSTED else self._value(value) for name, value in facts.items()}

    def place(self, value: t.Any) -> t.Any:
        """What ansible_host is set to, wherever it comes from."""
        return self._value(str(value)) if isinstance(value, str) and PLACE.fullmatch(value) else value

    def _value(self, value: t.Any) -> t.Any:
        if isinstance(value, str):
            # Most texts were seen already: to look them up is cheaper than to check them again.
            marked = self._marked.get(value)
            if marked is None:
                marked = self._marked[value] = trust_as_template(value) if CHECKED.fullmatch(value) else value
            return marked
        if isinstance(value, dict):
            return {key: self._value(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._value(one) for one in value]
        return value
