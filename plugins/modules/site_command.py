#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_command
short_description: Run a command as a site, with its environment
version_added: 0.3.0
description:
  - Runs a program as the site's system user, with the variables of the site's environment file, as its PHP would; for example the
    migrations of its database.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Nothing is run, and a change is told.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options:
  name:
    description: Name of the site, for the sentences.
    type: str
    required: true
  command:
    description: The command as a shell would have it, but without a shell; C(sh -c '...') gives it one.
    type: str
    required: true
  folder:
    description: Folder in which it is run.
    type: path
    required: true
  home:
    description: Home of the site's user.
    type: path
    required: true
  user:
    description: System user of the site.
    type: str
    required: true
  environment_file:
    description: File with the site's variables, as C(NAME='value') in lines.
    type: path
    required: true
  timeout:
    description: Seconds after which it is ended.
    type: float
    default: 3600
"""

EXAMPLES = r"""
- name: Migrate the shop's database
  siteops.webcluster.site_command:
    name: shop
    command: php artisan migrate --force
    folder: /srv/webcluster/shop/releases/5b0c11d7a2f3
    home: /srv/webcluster/shop
    user: site-shop
    environment_file: /etc/webcluster-sites/shop.env
"""

RETURN = r"""
lines:
  description: The last lines that it wrote.
  returned: success
  type: list
  elements: str
  sample: ["Nothing to migrate."]
"""

import os
import pwd
import shlex
import subprocess
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils import _programs

PATH = "/usr/local/bin:/usr/bin:/bin"
SHOWN = 20


def variables(text: str) -> dict[str, str]:
    """Read the lines NAME='value'; words of a shell, without one."""
    words = shlex.split(text, comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word)


def run(options: dict[str, str], timeout: float) -> tuple[int, list[str]]:
    """Run it as the user, who gets all of its groups; what it says may hold the site's secrets, so only its end is shown."""
    user = pwd.getpwnam(options["user"])
    environment = {
        "PATH": PATH,
        "HOME": options["home"],
        "USER": options["user"],
        "LANG": "C.UTF-8",
        **variables(Path(options["environment_file"]).read_text(encoding="utf-8")),
    }
    own = os.getuid() == user.pw_uid
    done = _programs.run(
        shlex.split(options["command"]),
        cwd=options["folder"],
        env=environment,
        user=None if own else user.pw_uid,
        group=None if own else user.pw_gid,
        extra_groups=None if own else os.getgrouplist(options["user"], user.pw_gid),
        stderr=subprocess.STDOUT,
        timeout=timeout,
    )
    return done.returncode, [line for line in done.stdout.splitlines() if line.strip()][-SHOWN:]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "command": {"type": "str", "required": True},
            "folder": {"type": "path", "required": True},
            "home": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "environment_file": {"type": "path", "required": True},
            "timeout": {"type": "float", "default": 3600},
        },
        supports_check_mode=True,
    )
    options = module.params
    what = f"Site {options['name']}: '{options['command']}'"
    if module.check_mode:
        module.exit_json(changed=True, lines=[])
    try:
        code, lines = run(options, options["timeout"])
    except (OSError, ValueError, KeyError) as error:
        module.fail_json(msg=f"{what} could not be run: {error}: correct it.")
    except subprocess.TimeoutExpired:
        module.fail_json(msg=f"{what} was ended after {options['timeout']:g} s: correct it, or give it more time.")
    if code:
        module.fail_json(msg=f"{what} ended with {code}: {' '.join(lines[-3:])[:500]}", lines=lines)
    module.exit_json(changed=True, lines=lines)


if __name__ == "__main__":
    main()
