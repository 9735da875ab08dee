#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_release_info
short_description: Tell which releases of sites are on a web server, and who put the live one there
version_added: 0.3.0
description:
  - Reads what M(siteops.webcluster.site_release) has unpacked and written down.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Can run in check mode; nothing is changed at any time.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  folder:
    description: Folder of all sites; what else lies there is told in RV(others).
    type: path
    default: /srv/webcluster
  sites:
    description: The sites.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the site.
        type: str
        required: true
      home:
        description: Folder of the site.
        type: path
        required: true
"""

EXAMPLES = r"""
- name: Look for the shop's releases
  siteops.webcluster.site_release_info:
    sites:
      - name: shop
        home: /srv/webcluster/shop
  register: known
"""

RETURN = r"""
others:
  description: Names of sites that have left their folders there, though they are none of O(sites).
  returned: success
  type: list
  elements: str
  sample: []
sites:
  description:
    - What there is of each site, by name.
    - C(there), whether the site has its folders; C(live), the release that is served; C(noted), the one that PHP was told of last,
      with its C(version); C(before), what was live before that, the last one first; C(releases), every release that could be served;
      C(released), C(by) whom, when (C(at), in seconds since 1970) and how (C(action)) an operator has put it there, empty where it
      follows from the inventory.
  returned: success
  type: dict
  sample:
    shop:
      there: true
      live: 5b0c11d7a2f3
      noted: 5b0c11d7a2f3
      version: "1.4"
      before: [{release: 0e1f5c3a9b77, version: "1.3"}]
      releases: [5b0c11d7a2f3, 0e1f5c3a9b77]
      released: {action: release, by: me@controller, at: 1795000000.0}
"""

import typing as t
from collections.abc import Collection
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._site_release import (
    Place,
    live,
    read_record,
    releases,
)


def look(home: str) -> dict[str, t.Any]:
    # Who may read it is of no matter here.
    place = Place(Path(home), -1, -1)
    record = read_record(place)
    return {
        "there": place.releases.is_dir(),
        "live": live(place),
        "noted": record.release,
        "version": record.version,
        "before": list(record.before),
        "releases": releases(place),
        "released": record.released,
    }


def others(folder: Path, names: Collection[str]) -> list[str]:
    """Sites that were here once."""
    return sorted(path.parent.name for path in folder.glob("*/releases") if path.parent.name not in names)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "default": "/srv/webcluster"},
            "sites": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "home": {"type": "path", "required": True},
                },
            },
        },
        supports_check_mode=True,
    )
    found = {site["name"]: look(site["home"]) for site in module.params["sites"]}
    module.exit_json(changed=False, sites=found, others=others(Path(module.params["folder"]), found))


if __name__ == "__main__":
    main()
