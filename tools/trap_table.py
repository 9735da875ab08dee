# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what each check said about the traps into docs/replication-status.md, from the scenario's last runs.

The tests of molecule/replication_status leave a record for each Debian release under .cache/replication-traps:
make molecule ROLE=replication_status, the same with LAB_RELEASE=12 and LAB_RELEASE=sid, then this.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
PAGE = CHECKOUT / "docs" / "replication-status.md"
RECORDS = CHECKOUT / ".cache" / "replication-traps"
RELEASES = ("12", "13", "sid")
BEGIN, END = "<!-- written by tools/trap_table.py -->", "<!-- end of what is written by tools/trap_table.py -->"
OTHERS = {
    "mysql": {"module": "replication module", "lag": "Seconds_Behind", "nagios": "check_mysql -S"},
    "redis": {"module": "redis_info, link status", "lag": "offsets compared", "nagios": "PING"},
}


class TableError(Exception):
    """Why there is no table; the text is the sentence for the user."""


@dataclass(frozen=True)
class Row:
    """What was said about one trap on one server."""

    trap: str
    server: str
    state: str
    check: str
    others: tuple[str, ...]
    test: str

    @property
    def fine(self) -> bool:
        """Whether nothing was done to the server."""
        return self.trap == "healthy"

    @property
    def kind(self) -> tuple[str, str, str, tuple[bool, ...], str]:
        """What rows must share to stand in one line."""
        return self.trap, self.state, self.check, tuple(well(said) for said in self.others), self.test


def well(said: str) -> bool:
    return said.startswith("well")


def rows(records: Iterable[dict[str, Any]], family: str) -> list[Row]:
    """Return the rows of a family of servers, without doubles of one version."""
    found = {}
    for record in records:
        # A server that did not answer told no version; the others of its engine did.
        versions = {entry["engine"]: entry["version"] for entry in record.values() if entry["version"]}
        for entry in record.values():
            if (entry["engine"] in ("Redis", "Valkey")) is not (family == "redis"):
                continue
            server = f"{entry['engine']} {'.'.join(versions[entry['engine']].split('.')[:2])}"
            said = tuple(entry["others"][name] for name in OTHERS[family])
            found[entry["trap"], server] = Row(
                entry["trap"], server, entry["state"], entry["check"], said, entry["test"]
            )
    return list(found.values())


def line(group: Sequence[Row]) -> str:
    """Put the servers on which all checks said the same into one line."""
    first = group[0]
    said = []
    for index, word in enumerate(first.others):
        if len({row.others[index] for row in group}) > 1:
            word = "well" if well(word) else "ill"
        wrong = well(word) is not first.fine
        said.append(f"**{word}**" if wrong else word)
    state = f"`{first.state}`" + (f" ({first.check})" if first.check and first.state != "healthy" else "")
    servers = ", ".join(row.server for row in group)
    return f"| {first.trap} | {servers} | {state} | {' | '.join(said)} | {first.test.partition('::')[2]} |"


def table(found: Sequence[Row], family: str) -> str:
    groups: dict[object, list[Row]] = {}
    traps = list(dict.fromkeys(row.trap for row in found))
    for row in sorted(found, key=lambda row: (traps.index(row.trap), row.server)):
        groups.setdefault(row.kind, []).append(row)
    names = OTHERS[family].values()
    ill, fine = [row for row in found if not row.fine], [row for row in found if row.fine]
    ours = sum(row.state == "healthy" for row in ill), sum(row.state != "healthy" for row in fine)
    counts = [
        f"{name} {sum(well(row.others[index]) for row in ill)} and {sum(not well(row.others[index]) for row in fine)}"
        for index, name in enumerate(names)
    ]
    head = ["trap", "servers", "replication_status", *names, "test"]
    return "\n".join(
        [
            f"| {' | '.join(head)} |",
            "|---" * len(head) + "|",
            *map(line, groups.values()),
            "",
            f"Of {len(ill)} ill replicas called well, and of {len(fine)} healthy ones called ill:"
            f" {'; '.join(counts)}; replication_status {ours[0]} and {ours[1]}.",
        ]
    )


def section(records: Sequence[dict[str, Any]]) -> str:
    return "\n\n".join(
        [
            "### MySQL and MariaDB",
            table(rows(records, "mysql"), "mysql"),
            "### Redis and Valkey",
            table(rows(records, "redis"), "redis"),
        ]
    )


def load(folder: Path) -> list[dict[str, Any]]:
    found = []
    for release in RELEASES:
        path = folder / f"{release}.json"
        if not path.exists():
            raise TableError(
                f"There is no record of release {release}: run LAB_RELEASE={release} make molecule ROLE=replication_status."
            )
        found.append(json.loads(path.read_text(encoding="utf-8")))
    return found


def replaced(page: str, text: str) -> str:
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not (begin and end):
        raise TableError(f"{PAGE.name} has no lines '{BEGIN}' and '{END}': put them where the tables belong.")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main() -> int:
    try:
        text = replaced(PAGE.read_text(encoding="utf-8"), section(load(RECORDS)))
    except TableError as error:
        print(f"trap_table: {error}", file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"trap_table: {PAGE.relative_to(CHECKOUT)} holds what the last runs said")
    return 0


if __name__ == "__main__":
    sys.exit(main())
