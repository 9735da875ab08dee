# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make, keep or prove copies: main.py copy|keep|drill SETTINGS.json [timer|now|keep], with the collection's code in the folder beside it."""

from __future__ import annotations

import logging
import os
import sys

from ansible_collections.siteops.webcluster.plugins.module_utils._backup import jobs, record, settings

log = logging.getLogger("webcluster-backup")
USAGE = f"main.py {'|'.join(record.JOBS)} SETTINGS.json [timer|now|keep]"


def main(argv: list[str]) -> int:
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    if len(argv) not in (3, 4) or argv[1] not in record.JOBS:
        log.error("expected %s", USAGE)
        return 2
    os.umask(0o077)
    job, more = argv[1], argv[3] if len(argv) == 4 else ""
    try:
        found = settings.read(argv[2])
    except settings.BackupError as error:
        log.error("%s.", error)
        return 2
    kept = f"{found.state}/kept-{found.tier}" if job == "drill" and more == "keep" else ""
    done = jobs.run(found, job, jobs.usual_world(found), now=more == "now", kept=kept)
    log.info("%s: %s.", found.title, done.message)
    return 1 if done.result == "failed" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
