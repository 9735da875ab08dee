#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apache_modules
short_description: Find what Apache modules depend on
version_added: 0.2.0
description:
  - Reads what Debian says of its Apache modules, and returns the files that load some of them with everything they depend on.
  - For a configuration that does not read C(mods-enabled). Nothing is changed.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Can run in check mode and return the same.
    support: full
options:
  names:
    description: Modules by their C(a2enmod) names.
    type: list
    elements: str
    required: true
  loaded:
    description: Modules that the configuration loads anyway.
    type: list
    elements: str
    default: []
  path:
    description: Folder of the modules' files.
    type: path
    default: /etc/apache2/mods-available
"""

EXAMPLES = r"""
- name: Find what the balancer needs
  siteops.webcluster.apache_modules:
    names: [proxy_balancer]
    loaded: [alias, proxy]
  register: apache_files
"""

RETURN = r"""
files:
  description: Files to include, in this order; what a module depends on comes before it, its settings after it.
  returned: success
  type: list
  elements: str
  sample:
    - /etc/apache2/mods-available/slotmem_shm.load
    - /etc/apache2/mods-available/proxy_balancer.load
    - /etc/apache2/mods-available/proxy_balancer.conf
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._apache_modules import (
    AVAILABLE,
    ModulesError,
    files_of,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "loaded": {"type": "list", "elements": "str", "default": []},
            "path": {"type": "path", "default": AVAILABLE},
        },
        supports_check_mode=True,
    )
    try:
        files = files_of(module.params["names"], module.params["loaded"], module.params["path"])
    except (ModulesError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, files=files)


if __name__ == "__main__":
    main()
