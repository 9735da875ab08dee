# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the tests import the checkout by its collection name, ansible_collections.siteops.webcluster."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible.plugins.loader import init_plugin_loader

CHECKOUT = Path(__file__).resolve().parents[1]
COLLECTIONS = CHECKOUT / ".ansible" / "collections"


def link_checkout(checkout: Path, collections: Path) -> None:
    """Give the checkout its collection path, where make has not done so yet."""
    link = collections / "ansible_collections" / "siteops" / "webcluster"
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(checkout, target_is_directory=True)


link_checkout(CHECKOUT, COLLECTIONS)
# First on the path: a released version installed beside Ansible must not be the one that is tested.
sys.path.insert(0, str(COLLECTIONS))
# Before anything of the collection is imported: a package that Python's own import found has no plugins for Ansible.
init_plugin_loader([str(COLLECTIONS)])
