# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the roles' READMEs, run as they stand there: their arguments are accepted, and then looked at."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
READMES = {path.parent.name: path for path in sorted((CHECKOUT / "roles").glob("*/README.md"))}
# A port that no role takes: each ends with its findings, before it looks at anything else on this machine.
NO_PORT = {
    "apache_php_listen_port": 70000,
    "haproxy_stats_port": 70000,
    "mysql_server_port": 70000,
    "redis_server_port": 70000,
}
REFUSED = "assert | Refuse what cannot work"


def plays(role: str) -> list[dict[str, Any]]:
    blocks = re.findall(r"```yaml\n(.*?)```", READMES[role].read_text(encoding="utf-8"), re.DOTALL)
    return [{**play, "hosts": "localhost"} for block in blocks for play in yaml.safe_load(block)]


def run(folder: Path, play: dict[str, Any]) -> str:
    text = yaml.safe_dump([play])
    vaulted = dict.fromkeys(re.findall(r"\bvault_\w+", text), "a-password")
    (folder / "play.yml").write_text(text, encoding="utf-8")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", "-c", "local"]
    command += ["-e", json.dumps({**NO_PORT, **vaulted, "ansible_become": False}), str(folder / "play.yml")]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(("role", "number"), [(role, number) for role in READMES for number in range(len(plays(role)))])
def test_example_is_accepted(role: str, number: int, tmp_path: Path) -> None:
    output = run(tmp_path, plays(role)[number])
    last = output.rindex("TASK [")
    assert REFUSED in output[last:], output
    assert " is 70000, expected a port from 1 to 65535" in output[last:] or " supports Debian " in output[last:]


@pytest.mark.parametrize("role", ["mysql_replica", "redis_master"])
def test_misspelt_variable_beside_a_role_is_refused(role: str, tmp_path: Path) -> None:
    play = plays(role)[0]
    play["roles"][0]["redis_server_bind_adress"] = "10.0.0.36"
    output = run(tmp_path, play)
    assert "redis_server_bind_adress" in output
    assert REFUSED not in output
