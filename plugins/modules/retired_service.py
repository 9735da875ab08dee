#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: retired_service
short_description: Take a service out of use whose place another one has taken
version_added: 0.3.0
description:
  - Tells a running service to end what it works at, waits for that, stops it where it takes too long, and keeps it from starting again.
  - Removes the files that were written for it, and what M(siteops.webcluster.configured_service) remembers of it.
  - A second run that finds none of it changes nothing.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Can run in check mode and tell what would change.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  name:
    description: Name of the service, without C(.service).
    type: str
    required: true
  signal:
    description: Signal that lets the service end what it works at, in the words of C(systemctl kill), for example V(QUIT) for PHP-FPM.
    type: str
    default: TERM
  wait:
    description: Seconds that it has for that.
    type: float
    default: 30
  files:
    description: Files that are removed when it has ended.
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Take the former PHP out of use
  siteops.webcluster.retired_service:
    name: php8.2-fpm
    signal: QUIT
    wait: 31
    files:
      - /etc/php/8.2/fpm/php-fpm.conf
"""

RETURN = r"""
stopped:
  description: Whether the service ran, and does no more.
  returned: success
  type: bool
  sample: true
graceful:
  description: Whether it ended by itself within O(wait).
  returned: success
  type: bool
  sample: true
removed:
  description: Files that were removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/php/8.2/fpm/php-fpm.conf]
"""

import os
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._clock import Clock
from ansible_collections.siteops.webcluster.plugins.module_utils._configured_service import (
    Unit,
    parse_unit,
    show,
    stamp_of,
)

UNITS = "/etc/systemd/system"
PAUSE = 0.25


def command(module: AnsibleModule, words: list[str]) -> str:
    code, out, err = module.run_command(words)
    if code:
        module.fail_json(msg=f"'{' '.join(words)}' failed: {err.strip()} See 'journalctl -u {module.params['name']}'.")
    return str(out)


def look(module: AnsibleModule) -> Unit:
    return parse_unit(command(module, show([module.params["name"]])))


def let_end(module: AnsibleModule, clock: Clock) -> bool:
    """Ask the service to end, and tell whether it did in time."""
    name, end = module.params["name"], clock.now() + module.params["wait"]
    command(module, ["systemctl", "kill", f"--signal={module.params['signal']}", name])
    while look(module).active:
        if clock.now() >= end:
            return False
        clock.sleep(PAUSE)
    return True


def run(module: AnsibleModule, clock: Clock) -> dict[str, t.Any]:
    name = module.params["name"]
    unit = look(module)
    files = [path for path in module.params["files"] if os.path.lexists(path)]
    goes = unit.present and not unit.masked and (unit.active or unit.enabled)
    graceful = True
    if not module.check_mode:
        if unit.active:
            graceful = let_end(module, clock)
        if goes:
            command(module, ["systemctl", "disable", "--now", name])
        for path in files:
            os.unlink(path)
        if any(path.startswith(f"{UNITS}/") for path in files):
            command(module, ["systemctl", "daemon-reload"])
        Path(stamp_of(name)).unlink(missing_ok=True)
    return {"changed": goes or bool(files), "stopped": unit.active, "graceful": graceful, "removed": files}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "signal": {"type": "str", "default": "TERM"},
            "wait": {"type": "float", "default": 30},
            "files": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(**run(module, Clock()))


if __name__ == "__main__":
    main()
