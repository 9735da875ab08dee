# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the front door of the lab's cluster with testssl.sh (Debian's package); nothing above 'low' may be found.

What it says of who signed the certificate, for which name, and of revocation is left out: the lab's own is nobody's, and status
judges the inventory's.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..error_budget.cluster import CHECKOUT, ClusterError, Lab

LOOKS = (
    "--protocols",
    "--server-preference",
    "--fs",
    "--server-defaults",
    "--headers",
    "--vulnerable",
)
ABOVE_LOW = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")
OF_THE_CERTIFICATE = ("cert", "OCSP", "DNS_CAA")
# Only where there is a certificate that browsers trust: it would keep them from the site.
NEEDS_A_CERTIFICATE = ("HSTS",)
MOST_SECONDS = 600


def findings(entries: Sequence[Mapping[str, str]]) -> list[str]:
    """What is above 'low' and not of the certificate alone."""
    left_out = (*OF_THE_CERTIFICATE, *NEEDS_A_CERTIFICATE)
    return [
        f"{entry['severity']}: {entry['id']}: {entry['finding']}"
        for entry in entries
        if entry["severity"] in ABOVE_LOW and not entry["id"].startswith(left_out)
    ]


def look(door: str) -> list[Mapping[str, str]]:
    """All that testssl.sh tells of an address."""
    if not shutil.which("testssl"):
        raise ClusterError("There is no testssl on the PATH: apt-get install testssl.sh.")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        words = ["testssl", "--quiet", "--color", "0", "--nodns", "min", *LOOKS]
        done = subprocess.run(
            [*words, "--jsonfile", str(report), f"https://{door}/"],
            capture_output=True,
            text=True,
            check=False,
            timeout=MOST_SECONDS,
        )
        # Its exit code counts findings.
        if not report.is_file():
            raise ClusterError(f"testssl.sh gave no report: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        entries: list[Mapping[str, str]] = json.loads(report.read_text(encoding="utf-8"))
    return entries


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inventory", type=Path, default=CHECKOUT / "inventory/lab")
    lab = Lab(parser.parse_args(arguments).inventory.resolve())
    entries = look(lab.addresses()[lab.groups()["haproxy"][0]])
    wrong = findings(entries)
    print("\n".join([*wrong, f"tls-check: {len(entries)} answers, {len(wrong)} of them above 'low'."]))
    return 1 if wrong or not entries else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ClusterError as error:
        sys.exit(f"tls-check: {error}")
