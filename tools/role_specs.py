# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the roles that import another one its options: they are validated, and documented, where the user gives them.

Change them in the imported role, then run: python tools/role_specs.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROLES = Path(__file__).resolve().parents[1] / "roles"
IMPORTERS = {
    "mysql_master": "mysql_server",
    "mysql_replica": "mysql_server",
    "redis_master": "redis_server",
    "redis_replica": "redis_server",
}
OPTION = re.compile(r"(?m)^(?=      \w+:\n)")


def spec_of(role: str) -> Path:
    return ROLES / role / "meta" / "argument_specs.yml"


def with_options(text: str, imported: str, source: str) -> str:
    """Put the options of the imported role behind the role's own, but for those that the role itself sets."""
    marker = f"      # From roles/{imported}/meta/argument_specs.yml, by tools/role_specs.py.\n"
    own = text.split(marker)[0]
    options = OPTION.split(source.split("    options:\n", 1)[1])
    return own + marker + "".join(each for each in options if not each.startswith(f"      {imported}_source_"))


def main() -> int:
    for role, imported in IMPORTERS.items():
        text = with_options(
            spec_of(role).read_text(encoding="utf-8"), imported, spec_of(imported).read_text(encoding="utf-8")
        )
        spec_of(role).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
