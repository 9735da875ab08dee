# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status service of mysql_server runs with the two folders that the role copies, and nothing else of the collection."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).parents[3] / "roles/mysql_server"


def trusted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: trusted(item) for name, item in value.items()}
    return trust_as_template(value) if isinstance(value, str) else value


def shipped() -> dict[str, str]:
    """Return the files as the role makes them."""
    loader = DataLoader()
    loader.set_basedir(str(ROLE))
    variables = {
        name: trusted(value)
        for name, value in yaml.safe_load((ROLE / "vars/main.yml").read_text()).items()
        if name.startswith("__mysql_server_status_")
    }
    variables.update(role_path=str(ROLE), ansible_search_path=[str(ROLE)], __mysql_server_status_config={"user": "x"})
    found = Templar(loader=loader, variables=variables).template(variables["__mysql_server_status_files"])
    return dict(found)


def test_the_service_has_all_that_it_imports(tmp_path: Path) -> None:
    files = shipped()
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    source = ROLE.parents[1] / "plugins/module_utils"
    package = "ansible_collections/siteops/webcluster/plugins/module_utils/"
    assert files[f"{package}_replication/service.py"] == (source / "_replication/service.py").read_text()
    assert {name.removeprefix(package).split("/")[0] for name in files} == {
        "_mysql",
        "_replication",
        "main.py",
        "config.json",
    }
    # The host has no Ansible; a wrong setting shows that everything before it was loaded.
    (tmp_path / "config.json").write_text(json.dumps({"user": "monitor", "colour": "blue"}))
    command = [sys.executable, "-S", "-E", str(tmp_path / "main.py"), str(tmp_path / "config.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "unexpected keyword argument 'colour'" in done.stderr
