# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the replication check as a service: main.py CONFIG.json, with the collection's code in the folder beside it."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlClient, MysqlLogin
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import service
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.mysql import MysqlProbe

log = logging.getLogger("webcluster-status")
# A server that takes longer for a look that needs milliseconds is not one to send anybody to.
LOOK_SECONDS = 1.5


def main(argv: list[str]) -> int:
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        config = json.loads(Path(argv[1]).read_text(encoding="utf-8"))
        login = MysqlLogin(user=config.pop("user"), unix_socket=config.pop("unix_socket", None), connect_timeout=1)
        settings = service.parse_settings(config)
    except (IndexError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.error("the configuration cannot be used: %r", error)
        return 2
    probe = MysqlProbe(MysqlClient(login, timeout=LOOK_SECONDS), questions=service.EACH_SECOND)
    try:
        service.run(settings, probe, log.info)
    except OSError as error:
        log.error("cannot listen at %s, port %d: %s", settings.address, settings.port, error.strerror)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
