#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_archive
short_description: Pack the code of sites, each under a release id that follows from what it holds
version_added: 0.3.0
description:
  - Makes an archive of a folder, or of another archive, for M(siteops.webcluster.site_release) to unpack on web servers.
  - The same files give the same release id and the same archive, on whichever controller and whenever it is made.
  - Refuses what would be written, or lead, outside of its folder - absolute paths, C(..), links to elsewhere, devices.
  - Runs on the controller.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Can run in check mode; the code is read and named, no archive is written.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  sites:
    description: The sites whose code is packed.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the site.
        type: str
        required: true
      source:
        description: Absolute path of a folder, or of an archive in tar (also compressed) or zip form.
        type: path
        required: true
      exclude:
        description: Names that are left out wherever they lie; C(*) is anything, C(?) one character.
        type: list
        elements: str
        default: [.git, .svn, .hg]
      release:
        description:
          - Release id that is wanted, where it is known before. An archive of it that is still there is taken as it is; otherwise the
            source has to hold it.
        type: str
        default: ""
  folder:
    description: Where archives are kept, the last six of each site.
    type: path
    default: ~/.cache/siteops.webcluster/archives
"""

EXAMPLES = r"""
- name: Pack the shop
  siteops.webcluster.site_archive:
    sites:
      - name: shop
        source: /home/me/shop
        exclude: [.git, node_modules]
  delegate_to: localhost
  become: false
  run_once: true
  register: packed

- name: Show the release id
  ansible.builtin.debug:
    msg: "{{ packed.archives.shop.release }}"
"""

RETURN = r"""
archives:
  description:
    - By the site's name, the C(release) id, the C(path) of the archive, and the number of its C(files) and C(bytes), which are not
      counted again in an archive that was there.
  returned: success
  type: dict
  sample:
    shop: {release: 5b0c11d7a2f3, path: /root/.cache/siteops.webcluster/archives/shop-5b0c11d7a2f3.tar.gz, files: 214, bytes: 1804022}
"""

import os
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._site_archive import ArchiveError, Packed, pack

KEPT = 6


def prune(folder: Path, name: str) -> None:
    """Keep the archives of a site that were used last."""
    found = sorted(folder.glob(f"{name}-*.tar.gz"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[KEPT:]:
        path.unlink(missing_ok=True)


def lacking(name: str, release: str, why: str) -> str:
    return (
        f"Site {name}: a web server lacks release {release}, which the others serve, and there is no archive of it here; {why}:"
        " bring all to one release by release.yml. Nothing was changed."
    )


def pack_site(module: AnsibleModule, site: dict[str, t.Any], folder: Path) -> tuple[Packed, Path]:
    source = Path(site["source"])
    wanted = site["release"]

    def place(release: str) -> Path:
        return folder / f"{site['name']}-{release}.tar.gz"

    if wanted and place(wanted).is_file():
        return Packed(wanted, 0, 0), place(wanted)
    if wanted and not (site["source"] and source.exists()):
        module.fail_json(msg=lacking(site["name"], wanted, "its source is not there"))
    if not source.is_absolute() or not source.exists():
        module.fail_json(
            msg=f"Site {site['name']}: source is {source}, which is no absolute path of something that is there; expected a"
            " folder or an archive: correct it."
        )
    try:
        packed = pack(source, site["exclude"], place, write=not module.check_mode)
    except (ArchiveError, OSError) as error:
        module.fail_json(
            msg=f"Site {site['name']}: source {source} cannot be packed: {error}: correct it. Nothing was changed."
        )
    if wanted not in ("", packed.release):
        module.fail_json(msg=lacking(site["name"], wanted, f"source {source} holds {packed.release}"))
    return packed, place(packed.release)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "sites": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "source": {"type": "path", "required": True},
                    "exclude": {"type": "list", "elements": "str", "default": [".git", ".svn", ".hg"]},
                    "release": {"type": "str", "default": ""},
                },
            },
            "folder": {"type": "path", "default": "~/.cache/siteops.webcluster/archives"},
        },
        supports_check_mode=True,
    )
    folder = Path(module.params["folder"])
    archives: dict[str, t.Any] = {}
    changed = False
    before = set(os.listdir(folder)) if folder.is_dir() else set()
    for site in module.params["sites"]:
        packed, path = pack_site(module, site, folder)
        changed = changed or path.name not in before
        if not module.check_mode:
            prune(folder, site["name"])
        archives[site["name"]] = {**vars(packed), "path": str(path)}
    module.exit_json(changed=changed, archives=archives)


if __name__ == "__main__":
    main()
