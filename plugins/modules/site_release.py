#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_release
short_description: Unpack releases of sites on a web server, and serve them
version_added: 0.3.0
description:
  - Unpacks the archives of M(siteops.webcluster.site_archive) below C(HOME/releases), and lets the link C(HOME/current) lead to the
    wanted release in one step. A release that is there already is not sent again.
  - All sites first have their code; then all links are changed, and PHP-FPM is reloaded once, so that it forgets compiled pages.
  - Folders in O(sites[].shared_folders) become links to C(HOME/shared), which all releases have in common; the first release
    fills them.
  - Keeps the live release and O(keep) others, those that were live before it first.
  - Adds a line for each switch to C(HOME/releases.log), an object in JSON, with the moment (C(at)), C(action), C(release),
    C(version), what was live before (C(from)), and who did it (C(by)).
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Can run in check mode and tell what would change; no archive is sent.
    support: full
  diff_mode:
    description: Shows which release is followed by which.
    support: full
options:
  sites:
    description: The sites of this host. One without a release is left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the site, for the sentences.
        type: str
        required: true
      home:
        description: Folder of the site, which must be there.
        type: path
        required: true
      user:
        description: User whose PHP may write to the shared folders.
        type: str
        required: true
      readers:
        description: Group of those who may read the code.
        type: str
        required: true
      release:
        description: Release id; empty leaves the site alone.
        type: str
        default: ""
      archive:
        description: Archive of the release on the controller; needed where the host does not have the release.
        type: path
        default: ""
      version:
        description: What the release is called by its makers, for the log.
        type: str
        default: ""
      released:
        description: What another host has written down of who released it; kept on a host that gets the release by O(action=install).
        type: dict
        default: {}
      shared_folders:
        description: Folders of the code that outlive a release.
        type: list
        elements: str
        default: []
      mounted_folders:
        description: Those of O(sites[].shared_folders) that a mount holds. They are neither filled nor looked at.
        type: list
        elements: str
        default: []
  service:
    description: Service that is reloaded after a change, for example C(php8.4-fpm).
    type: str
    default: ""
  keep:
    description: How many former releases of each site are kept; the last one that was live always is.
    type: int
    default: 5
  switch:
    description: Whether the release goes live. When false, it is only unpacked beside the live one.
    type: bool
    default: true
  moment:
    description:
      - Moment, in seconds since 1970, at which the release goes live, at most a minute ahead; so that many servers switch at once.
      - One that has passed is now.
    type: float
    default: 0
  action:
    description:
      - What the log calls it. V(release), V(rollback) and V(automatic rollback) also are written down as the will of an operator,
        which RV(ignore:released) of M(siteops.webcluster.site_release_info) tells.
      - The two last ones forget what was live after the release that they go back to.
    type: str
    choices: [install, release, rollback, automatic rollback]
    default: install
  by:
    description: Who does it, for the log; without it the user who runs Ansible.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Serve the shop
  siteops.webcluster.site_release:
    sites:
      - name: shop
        home: /srv/webcluster/shop
        user: site-shop
        readers: web-shop
        release: "{{ packed.archives.shop.release }}"
        archive: "{{ packed.archives.shop.path }}"
        shared_folders: [uploads]
    service: php8.4-fpm

- name: Put the next release beside the live one
  siteops.webcluster.site_release:
    sites: "{{ sites_with_the_next_release }}"
    switch: false
"""

RETURN = r"""
missing:
  description: Sites whose release is not on this host. Where an archive was given, it is sent and this is empty.
  returned: success
  type: list
  elements: str
  sample: []
live:
  description: The release of each site that is served after the run, or would be; empty where there is none.
  returned: success
  type: dict
  sample: {shop: 5b0c11d7a2f3}
switched:
  description: Sites that were switched to another release, or would be.
  returned: success
  type: list
  elements: str
  sample: [shop]
removed:
  description: Former releases that were removed, by site.
  returned: success
  type: dict
  sample: {}
"""

import grp
import pwd
import tarfile
import time
import typing as t
import zlib
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._site_archive import ArchiveError
from ansible_collections.siteops.webcluster.plugins.module_utils._site_release import (
    Place,
    followed,
    leftovers,
    live,
    note,
    old_releases,
    read_record,
    remove,
    switch,
    unpack,
    write_log,
)

Site = dict[str, t.Any]
# Nobody waits longer for the others.
MOST_AHEAD = 60
TAKE_BACK = ("rollback", "automatic rollback")


def place_of(module: AnsibleModule, site: Site) -> Place:
    """A site's place; in check mode it, and its user, may not be there yet."""
    home = Path(site["home"])
    try:
        uid, readers = pwd.getpwnam(site["user"]).pw_uid, grp.getgrnam(site["readers"]).gr_gid
    except KeyError as error:
        if not module.check_mode:
            module.fail_json(
                msg=f"Site {site['name']}: {error.args[0]}; expected its user and group to be there: make them first."
            )
        uid = readers = -1
    if not module.check_mode and not (home / "releases").is_dir():
        module.fail_json(
            msg=f"Site {site['name']}: there is no {home}/releases on this host; expected it: make it first."
        )
    return Place(home, uid, readers, tuple(site["shared_folders"]), tuple(site["mounted_folders"]))


def bring(module: AnsibleModule, site: Site, place: Place) -> None:
    """Unpack a release that is not here yet."""
    try:
        unpack(Path(site["archive"]), place, site["release"])
    except (ArchiveError, OSError, EOFError, tarfile.TarError, zlib.error) as error:
        module.fail_json(
            msg=f"Site {site['name']}: release {site['release']} cannot be unpacked: {error}. The live release was not changed."
        )


def tell(module: AnsibleModule) -> None:
    """Let the service forget what it compiled."""
    service = module.params["service"]
    code, _out, err = module.run_command(["systemctl", "reload", service])
    if code:
        module.fail_json(
            msg=f"The new releases are live, but '{service}' could not be reloaded: {err.strip()} Run again."
        )


def wait_for(module: AnsibleModule) -> float:
    """Wait for the moment that was agreed, and return it, or the present one."""
    moment: float = module.params["moment"]
    ahead = moment - time.time()
    if ahead > MOST_AHEAD:
        module.fail_json(
            msg=f"moment is {ahead:.0f} s ahead of this host's clock, expected {MOST_AHEAD} at most: set the hosts' clocks."
            " The live release was not changed."
        )
    if ahead > 0:
        time.sleep(ahead)
    return moment or time.time()


def write_down(module: AnsibleModule, site: Site, place: Place, moment: float, former: str) -> None:
    """Keep what was done, and who did it."""
    action, by, version = module.params["action"], module.params["by"], site["version"]
    chosen = {"action": action, "by": by, "at": moment}
    released = site["released"] if action == "install" else chosen
    record = followed(read_record(place), site["release"], version, action in TAKE_BACK, released)
    note(place, record)
    words = {"action": action, "release": record.release, "version": record.version, "from": former, "by": by}
    write_log(place, moment, **words)


def run(module: AnsibleModule) -> dict[str, t.Any]:
    wanted = [(site, place_of(module, site)) for site in module.params["sites"] if site["release"]]
    before = {site["name"]: live(place) for site, place in wanted}
    goes_live: bool = module.params["switch"]
    missing = [(site, place) for site, place in wanted if not place.release(site["release"]).is_dir()]
    switched = [(site, place) for site, place in wanted if goes_live and before[site["name"]] != site["release"]]
    unread = [(site, place) for site, place in wanted if goes_live and read_record(place).release != site["release"]]
    removed: dict[str, list[str]] = {}
    lacking = [site["name"] for site, _place in missing if not site["archive"]]
    if not lacking and not module.check_mode:
        for site, place in missing:
            bring(module, site, place)
        moment = wait_for(module) if switched else time.time()
        for site, place in switched:
            switch(place, site["release"])
        if unread and module.params["service"]:
            tell(module)
        for site, place in unread:
            write_down(module, site, place, moment, before[site["name"]])
        for site, place in wanted:
            old = old_releases(place, module.params["keep"], site["release"])
            remove(place, [*old, *leftovers(place)])
            removed |= {site["name"]: old} if old else {}
    return {
        "changed": bool(missing or switched or unread or removed),
        "missing": lacking,
        "live": {site["name"]: site["release"] if goes_live else before[site["name"]] for site, _place in wanted},
        "switched": [site["name"] for site, _place in switched],
        "removed": removed,
        "diff": [
            {
                "before_header": f"{site['home']}/current",
                "after_header": f"{site['home']}/current",
                "before": f"{before[site['name']]}\n",
                "after": f"{site['release']}\n",
            }
            for site, _place in switched
        ],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "sites": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "home": {"type": "path", "required": True},
                    "user": {"type": "str", "required": True},
                    "readers": {"type": "str", "required": True},
                    "release": {"type": "str", "default": ""},
                    "archive": {"type": "path", "default": ""},
                    "version": {"type": "str", "default": ""},
                    "released": {"type": "dict", "default": {}},
                    "shared_folders": {"type": "list", "elements": "str", "default": []},
                    "mounted_folders": {"type": "list", "elements": "str", "default": []},
                },
            },
            "service": {"type": "str", "default": ""},
            "keep": {"type": "int", "default": 5},
            "switch": {"type": "bool", "default": True},
            "moment": {"type": "float", "default": 0},
            "action": {
                "type": "str",
                "choices": ["install", "release", "rollback", "automatic rollback"],
                "default": "install",
            },
            "by": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    module.exit_json(**run(module))


if __name__ == "__main__":
    main()
