# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run playbooks/status.yml and print its report: exit 0 healthy, 1 not healthy, 2 when there is no report."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]


def error_lines(output: str) -> list[str]:
    """What ansible says went wrong, without the play's noise."""
    lines = [line.strip() for line in output.splitlines()]
    marked = [line for line in lines if line.startswith(("[ERROR]", "ERROR!", "fatal:", "msg:"))]
    return marked or lines[-5:]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="status", description=__doc__)
    parser.add_argument("--inventory", default=CHECKOUT / "inventory/lab")
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("ansible_options", nargs="*", help="more options for ansible-playbook, after --")
    args = parser.parse_args(argv)
    playbook = pathlib.Path(sys.executable).with_name("ansible-playbook")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "report.json"
        command = [playbook, "-i", args.inventory, "-e", f"webcluster_report_path={path}", *args.ansible_options]
        result = subprocess.run(
            [*command, CHECKOUT / "playbooks/status.yml"],
            env={"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), **os.environ},
            capture_output=True,
            text=True,
            check=False,
        )
        if not path.exists():
            print(
                "\n".join(["status: no report could be made:", *error_lines(result.stdout + result.stderr)]),
                file=sys.stderr,
            )
            return 2
        report = json.loads(path.read_text())
    print(json.dumps(report, indent=2) if args.format == "json" else report["table"])
    return 0 if report["healthy"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
