# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook without hosts: writes down each module call and answers it from a table; see pretended_hosts.py."""

from __future__ import annotations

import copy
import json
import os
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from ansible._internal._templating._jinja_bits import AnsibleEnvironment, _TemplateCompileContext
from ansible.cli.playbook import main
from ansible.executor.process.worker import WorkerProcess
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

# Other versions make other code of a template.
TEMPLATES = Path(".ansible", f"templates-{version('ansible-core')}-{version('jinja2')}")
NOTHING_TO_SAY = {"changed": False, "rc": 0, "stdout": "", "stdout_lines": [], "stderr": "", "stderr_lines": []}


def write_down(call: dict[str, Any]) -> None:
    line = json.dumps(call, default=str) + "\n"
    with open(os.environ["PRETENDED_CALLS"], "a", encoding="utf-8") as file:
        file.write(line)


def reply(host: str, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    for answer in json.loads(Path(os.environ["PRETENDED_ANSWERS"]).read_text(encoding="utf-8")):
        named = set(answer["arguments"]) <= set(arguments) and answer["values"].items() <= arguments.items()
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
    looks_only = bool(action._task.check_mode)
    write_down({"host": host, "module": module, "arguments": arguments, "content": content, "looks_only": looks_only})
    return reply(host, module, arguments)


def transfer_file(_action: Any, local_path: str, remote_path: str) -> str:
    shutil.copy(local_path, remote_path)
    return remote_path


def make_tmp_path(action: Any, *_more: Any) -> str:
    folder = tempfile.mkdtemp(dir=os.environ["ANSIBLE_LOCAL_TEMP"])
    action._connection._shell.tmpdir = folder
    return folder


def interrupt(*_signal: Any) -> None:
    raise KeyboardInterrupt


def work_here(worker: Any) -> None:
    """Do a worker's task in this process: a process for each task forgets the templates it compiled (22 CPU s a run, not 8)."""
    task, worker._task = worker._task, worker._task.copy(exclude_parent=True)
    worker._task._parent = task._parent
    worker._host = copy.copy(worker._host)
    worker.run()


def keep_templates(folder: Path) -> None:
    """Let each template be compiled once for all runs: a third of a run's CPU went there."""
    folder.mkdir(parents=True, exist_ok=True)
    cache = jinja2.FileSystemBytecodeCache(str(folder))
    compile_anew = AnsibleEnvironment.compile

    def compile_once(environment: jinja2.Environment, source: Any, *arguments: Any, **options: Any) -> Any:
        if not isinstance(source, str) or arguments or options:
            return compile_anew(environment, source, *arguments, **options)
        settings = (environment.trim_blocks, environment.lstrip_blocks, environment.variable_start_string)
        escapes = _TemplateCompileContext.current(optional=True)
        bucket = cache.get_bucket(environment, f"{settings} {escapes} {source}", None, source)
        if bucket.code is None:
            bucket.code = compile_anew(environment, source)
            cache.set_bucket(bucket)
        return bucket.code

    AnsibleEnvironment.compile = compile_once


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
    WorkerProcess.start = work_here
    WorkerProcess._term = interrupt
    WorkerProcess._detach = nothing
    Display.set_queue = nothing
    # A worker of its own process is asked what it printed past Ansible.
    for stream in (sys.stdout, sys.stderr):
        vars(stream)["getvalue"] = str


if __name__ == "__main__":
    pretend()
    keep_templates(TEMPLATES)
    # The first word is the program's name for Ansible.
    main(["ansible-playbook", *sys.argv[1:]])
