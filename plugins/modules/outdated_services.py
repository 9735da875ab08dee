#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: outdated_services
short_description: Name the services that run an older configuration than their files
version_added: 0.2.0
description:
  - Looks at each running service that M(siteops.webcluster.configured_service) or M(siteops.webcluster.redis_settings) has
    configured on this host, and compares what it was given last with what is on disk.
  - Finds a file that a run wrote and could not tell its service of, and one that somebody else has changed since.
  - Names apart what a service takes at its next start only, which is no mistake and waits for a good moment.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Nothing is changed in either mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
options: {}
"""

EXAMPLES = r"""
- name: Look for services that have not read their files
  siteops.webcluster.outdated_services:
  register: services
"""

RETURN = r"""
outdated:
  description: For each of them its name and the file that was changed last.
  returned: success
  type: list
  elements: dict
  sample: [{service: haproxy, file: /etc/haproxy/haproxy.cfg}]
waiting:
  description:
    - Services that run since before a file was written that they take at a start only, each with the file that was changed last.
  returned: success
  type: list
  elements: dict
  sample: [{service: haproxy, file: /etc/systemd/system/haproxy.service.d/hardening.conf}]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._configured_service import (
    outdated,
    parse_unit,
    read_stamps,
    show,
    waiting,
)


def main() -> None:
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    stamps = read_stamps()
    # One question for all of them; the answers are in its order, with an empty line between.
    shown = module.run_command(show(stamps), check_rc=True)[1] if stamps else ""
    found = [(service, parse_unit(text), stamp) for (service, stamp), text in zip(stamps.items(), shown.split("\n\n"))]
    looks = {"outdated": outdated, "waiting": waiting}
    module.exit_json(
        changed=False,
        **{
            key: [{"service": service, "file": file} for service, unit, stamp in found if (file := look(unit, stamp))]
            for key, look in looks.items()
        },
    )


if __name__ == "__main__":
    main()
