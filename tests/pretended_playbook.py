# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook without hosts: writes down each module call and answers it from a table; see pretended_hosts.py."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from ansible.cli.playbook import main
from ansible.plugins.action import ActionBase

NOTHING_TO_SAY = {"changed": False, "rc": 0, "stdout": "", "stdout_lines": [], "stderr": "", "stderr_lines": []}


def write_down(call: dict[str, Any]) -> None:
    line = json.dumps(call, default=str) + "\n"
    # One write for each line: the processes of many hosts share the file.
    with open(os.environ["PRETENDED_CALLS"], "ab", buffering=0) as file:
        file.write(line.encode())


def reply(host: str, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    for answer in json.loads(Path(os.environ["PRETENDED_ANSWERS"]).read_text(encoding="utf-8")):
        named = set(answer["arguments"]) <= set(arguments)
        if answer["module"] == module and answer["host"] in ("", host) and named:
            return {**NOTHING_TO_SAY, **answer["result"]}
    return dict(NOTHING_TO_SAY)


def execute_module(
    action: Any, module_name: str | None = None, module_args: Any = None, task_vars: Any = None, **_more: Any
) -> dict[str, Any]:
    module = (module_name or action._task.action).rpartition(".")[2]
    arguments = dict(action._task.args if module_args is None else module_args)
    host = action._task.delegate_to or task_vars["inventory_hostname"]
    content = Path(arguments["src"]).read_text(encoding="utf-8") if module == "copy" else ""
    write_down({"host": host, "module": module, "arguments": arguments, "content": content})
    return reply(host, module, arguments)


def transfer_file(_action: Any, local_path: str, remote_path: str) -> str:
    shutil.copy(local_path, remote_path)
    return remote_path


def make_tmp_path(action: Any, *_more: Any) -> str:
    folder = tempfile.mkdtemp(dir=os.environ["ANSIBLE_LOCAL_TEMP"])
    action._connection._shell.tmpdir = folder
    return folder


def nothing(*_arguments: Any, **_more: Any) -> None:
    """Stand in for what needs a host."""


def pretend() -> None:
    """Put ourselves between Ansible's actions and the hosts."""
    ActionBase._execute_module = execute_module
    ActionBase._transfer_file = transfer_file
    ActionBase._make_tmp_path = make_tmp_path
    ActionBase._remote_expand_user = lambda _action, path, **_more: path
    ActionBase._execute_remote_stat = lambda _action, *_more, **_options: {"exists": False, "checksum": ""}
    ActionBase._fixup_perms2 = nothing
    ActionBase._remove_tmp_path = nothing


if __name__ == "__main__":
    pretend()
    # The first word is the program's name for Ansible.
    main(["ansible-playbook", *sys.argv[1:]])
