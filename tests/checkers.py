# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the service's own program about a file, by the command that the role would let the host run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

PATH = os.pathsep.join([*os.get_exec_path(), "/usr/local/sbin", "/usr/sbin", "/sbin"])
PHP = re.compile(r"\bphp(?P<fpm>-fpm)?\d+\.\d+\b")


def installed_php() -> str:
    """The version of the PHP that is here."""
    programs = (path for folder in PATH.split(os.pathsep) for path in Path(folder).glob("php-fpm[0-9]*"))
    return next((path.name.removeprefix("php-fpm") for path in programs), "")


def need(program: str) -> None:
    """Skip the test where the program is not installed; not in CI, where tools/checkers.sh has installed it."""
    found = installed_php() if program == "php-fpm" else shutil.which(program, path=PATH)
    if not found:
        reason = f"{program} is not installed here: run tools/checkers.sh as root"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def check(command: str, content: str, folder: Path, name: str = "checked") -> subprocess.CompletedProcess[str]:
    """Run a command on a file, which is named %s in it as in Ansible's `validate`."""
    path = folder / name
    path.write_text(content, encoding="utf-8")
    # A file for another release of PHP is shown to the one that is here.
    command = PHP.sub(lambda found: f"php{found['fpm'] or ''}{installed_php()}", command)
    arguments = shlex.split(command.replace("%s", str(path)))
    return subprocess.run(
        arguments, env={**os.environ, "PATH": PATH}, capture_output=True, text=True, check=False, timeout=60
    )
