#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: configured_service
short_description: Keep a service running what its files say
version_added: 0.2.0
description:
  - Writes the files of one systemd service, and sees to it that the service is enabled, runs, and has read them.
  - Every text that differs is given to its checker first; where one is refused, nothing is changed.
  - What was written by a run that ended before the service could read it, or by somebody else, is found by the next run - the
    module compares what the service was given last with what is on disk, and where somebody else started the
    service, the time of that start with the time of the files.
  - One task instead of several round trips for each file and handlers that a failure forgets.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Can run in check mode and tell what would change. On a host without the unit no text is checked.
    support: full
  diff_mode:
    description: Shows the texts that change, except those of O(files[].secret_content) and of files that others cannot read.
    support: full
options:
  name:
    description: Name of the systemd service, without C(.service). Another kind of unit has its ending, as in C(backup.timer).
    type: str
    required: true
  files:
    description: Files to write, all of them before the service reads them.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - Absolute path. A directory that is missing above it is made.
          - What lies below C(/etc/sysusers.d) has its users made before the other files are written, and what lies below
            C(/etc/tmpfiles.d) its folders before the service starts or reads its files.
        type: path
        required: true
      content: &content
        description: Text of the file.
        type: str
      secret_content: &secret_content
        description: Text of the file, never logged or shown.
        type: str
      owner:
        description: Owner of the file.
        type: str
        default: root
      group:
        description: Group of the file.
        type: str
        default: root
      mode:
        description: Mode of the file, as a quoted octal number.
        type: str
        default: "0644"
      validate:
        description: Command that checks a text; C(%s) is the path of a file that holds it.
        type: str
      at_start:
        version_added: 0.3.0
        description:
          - The service takes this file at its next start only, such as what its unit takes away from its processes. A change of it
            alone neither reloads nor restarts a service that runs.
          - What waits for a start is told by M(siteops.webcluster.outdated_services).
        type: bool
        default: false
      first:
        version_added: 0.3.0
        description:
          - Other texts name this file, so it is written before they are checked, and taken back where one of them is refused.
          - Give it a path that no text names which is in use, for example one that follows from what it holds.
        type: bool
        default: false
  owns:
    version_added: 0.3.0
    description:
      - Patterns of paths such as C(/etc/shop/*.conf), all of whose files are in O(files). Others that fit are removed, and
        where the folder is a pattern too, such as C(/etc/shop/*/*), folders that are empty then.
      - Units among these that start something, such as timers, are stopped and disabled before; what they started goes on to its end.
    type: list
    elements: path
    default: []
  leaves:
    version_added: 0.3.0
    description: Files that fit O(owns) and stay, because other tasks write them.
    type: list
    elements: path
    default: []
  goes_with:
    description:
      - Files of another service that only make sense together with O(files). They are checked, not written, so that no half of a
        change is taken where the task of that service would refuse the other half.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path. A file that holds the text already is not checked.
        type: path
        required: true
      content: *content
      secret_content: *secret_content
      validate:
        description: Command that checks the text; C(%s) is the path of a file that holds it.
        type: str
        required: true
  reads:
    description: Further files and directories that the service reads, written by other tasks.
    type: list
    elements: path
    default: []
  on_change:
    description:
      - How the service is told to read its files. V(nothing) leaves that to another task.
      - V(tell) leaves a service that runs as it is, and tells by RV(action) that it has to read its files; so a playbook can say
        what is going to happen before another task does it.
    type: str
    choices: [reload, restart, tell, nothing]
    default: reload
"""

EXAMPLES = r"""
- name: Configure HAProxy and let it run what is configured
  siteops.webcluster.configured_service:
    name: haproxy
    files:
      - path: /etc/haproxy/haproxy.cfg
        content: "{{ lookup('ansible.builtin.template', 'haproxy.cfg.j2') }}"
        group: haproxy
        mode: "0640"
        validate: haproxy -c -f %s
"""

RETURN = r"""
written:
  description: Files whose text was written, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/haproxy/haproxy.cfg]
removed:
  description: Files that were removed because of O(owns), or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: []
  version_added: 0.3.0
action:
  description: What was done with the service, or would be in check mode; V(tell) is what has yet to be done.
  returned: success
  type: str
  choices: [start, reload, restart, tell, nothing]
"""

import glob
import os
import tempfile
import time
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._configured_service import (
    Files,
    Stamp,
    Unit,
    decide,
    parse_unit,
    read_files,
    read_stamp,
    show,
    stamp_of,
    write_stamp,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._file_tree import readable_by_all

File = dict[str, t.Any]
SETTLE_SECONDS = 1.0
USERS = "/etc/sysusers.d/"
FOLDERS = "/etc/tmpfiles.d/"
UNITS = "/etc/systemd/system"


class ConfiguredServiceModule(AnsibleModule):
    """Keeps the texts out of the node's system log, where every call of a module is written."""

    def log(self, msg: str, log_args: dict[str, t.Any] | None = None) -> None:
        if log_args:
            paths = ",".join(file["path"] for file in self.params["files"])
            msg, log_args = f"Invoked with name={self.params['name']} files={paths}", None
        super().log(msg, log_args=log_args)


def text_of(file: File) -> str:
    return str(file["content"] if file["secret_content"] is None else file["secret_content"])


def present_text(file: File) -> str | None:
    if not os.path.isfile(file["path"]):
        return None
    with open(file["path"], encoding="utf-8", errors="surrogateescape", newline="") as present:
        return present.read()


def temporary(file: File, folder: str | None) -> str:
    """Write the text into a new file that only root can read."""
    handle, path = tempfile.mkstemp(prefix=".webcluster-", dir=folder)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as target:
        target.write(text_of(file))
    return path


def refusal(module: AnsibleModule, file: File) -> str:
    """What the file's checker says against its text; empty where it takes it."""
    path = temporary(file, module.tmpdir)
    try:
        code, out, err = module.run_command(file["validate"].replace("%s", path), expand_user_and_vars=False)
    finally:
        os.unlink(path)
    if not code:
        return ""
    said = " ".join((err.strip() or out.strip() or f"exit code {code}").replace(path, file["path"]).split())
    return f"{file['path']} failed to validate, nothing was changed: {said}"


def validate(module: AnsibleModule, files: list[File], unit: Unit) -> None:
    """Let the checkers look at all texts; nothing stays of what was written for them where one is refused."""
    brought = [file for file in files if file.get("first") and not os.path.lexists(file["path"])]
    # Without the unit its package is not there yet, and neither is the checker; nor is what a check run did not bring.
    if module.check_mode and (brought or not unit.present):
        return
    for file in brought:
        write(module, file)
    for said in (refusal(module, file) for file in files if file["validate"]):
        if said:
            for file in brought:
                os.unlink(file["path"])
            module.fail_json(msg=said)


def write(module: AnsibleModule, file: File) -> None:
    """Put the text in its place in one step."""
    folder = os.path.dirname(file["path"])
    os.makedirs(folder, mode=0o755, exist_ok=True)
    path = temporary(file, folder)
    set_attributes(module, file, path)
    os.replace(path, file["path"])


def set_attributes(module: AnsibleModule, file: File, path: str) -> bool:
    changed = module.set_owner_if_different(path, file["owner"], False)
    changed = module.set_group_if_different(path, file["group"], changed)
    return bool(module.set_mode_if_different(path, file["mode"], changed))


def describe(file: File) -> dict[str, str]:
    """Return the diff of a file, without secret texts."""
    secret = file["secret_content"] is not None
    before = "" if secret else present_text(file) or ""
    if before and not readable_by_all(file["path"]):
        # It may have been a secret.
        before = "(not readable by others, not shown)\n"
    return {
        "before_header": file["path"],
        "after_header": file["path"],
        "before": before,
        "after": "(secret, not shown)\n" if secret else text_of(file),
    }


def fail(module: AnsibleModule, what: str, said: str) -> None:
    """End with what went wrong, and with what the service wrote into the journal."""
    name = module.params["name"]
    journal = module.run_command(
        ["journalctl", "--unit", name, "--lines", "5", "--output", "cat", "--no-pager", "--quiet"]
    )[1]
    module.fail_json(msg=f"{what}: {' '.join(f'{said} {journal}'.split())} See 'journalctl -u {name}'.")


def command(module: AnsibleModule, words: list[str]) -> str:
    code, out, err = module.run_command(words)
    if code:
        fail(module, f"'{' '.join(words)}' failed", err)
    return str(out)


def look(module: AnsibleModule) -> Unit:
    return parse_unit(command(module, show([module.params["name"]])))


def write_differing(module: AnsibleModule, unit: Unit, unread: Stamp) -> list[File]:
    """Check all texts that differ, then write all of them; return their files."""
    differing = [file for file in module.params["files"] if present_text(file) != text_of(file)]
    others = [file for file in module.params["goes_with"] if present_text(file) != text_of(file)]
    validate(module, [*differing, *others], unit)
    if module.check_mode:
        return differing
    if any(file["path"] in unread.paths for file in differing):
        # A run that ends before the service has read them must leave no wrong stamp.
        write_stamp(stamp_of(module.params["name"]), unread)
    users = [file for file in differing if file["path"].startswith(USERS)]
    for file in users:
        write(module, file)
    # The other files may belong to them.
    make_known(module, "systemd-sysusers", USERS)
    for file in differing:
        if file not in users:
            write(module, file)
    return differing


def make_known(module: AnsibleModule, program: str, folder: str) -> None:
    """Let systemd make the users, or the folders, that files describe."""
    paths = [file["path"] for file in module.params["files"] if file["path"].startswith(folder)]
    if paths:
        command(module, [program, *(["--create"] if folder == FOLDERS else []), *paths])


def strangers(module: AnsibleModule) -> list[str]:
    """Files in the places of ours that are none of ours."""
    ours = {file["path"] for file in module.params["files"]} | set(module.params["leaves"])
    return sorted({path for pattern in module.params["owns"] for path in glob.glob(pattern)} - ours)


def remove(module: AnsibleModule, path: str) -> None:
    """Remove a file; a unit that starts something stops doing so before systemd cannot be told any more."""
    name = os.path.basename(path)
    if os.path.dirname(path) == UNITS and not name.endswith(".service"):
        command(module, ["systemctl", "disable", "--now", name])
        Path(stamp_of(name)).unlink(missing_ok=True)
    os.unlink(path)
    # A pattern with a wildcard for the folder names folders that are ours as well.
    folder = os.path.dirname(path)
    among = any(
        glob.has_magic(os.path.dirname(pattern)) and folder in glob.glob(os.path.dirname(pattern))
        for pattern in module.params["owns"]
    )
    if among and not os.listdir(folder):
        os.rmdir(folder)


def prepare(module: AnsibleModule, unit: Unit, touched: list[str]) -> Unit:
    """Let systemd know of new units and users; return the unit, which can be started now."""
    name = module.params["name"]
    if unit.stale or any(path.startswith(f"{UNITS}/") for path in touched):
        command(module, ["systemctl", "daemon-reload"])
        unit = look(module)
    make_known(module, "systemd-tmpfiles", FOLDERS)
    if not unit.present:
        module.fail_json(msg=f"There is no service {name} on this host: install its package first.")
    if unit.masked:
        module.fail_json(msg=f"The service {name} is masked and cannot run: 'systemctl unmask {name}' if it should.")
    return unit


def bring_up(module: AnsibleModule, unit: Unit, found: Files, stamp: str, at_start: tuple[str, ...]) -> str:
    """See to it that the service is enabled, runs and has read its files; return what was needed."""
    name, on_change = module.params["name"], module.params["on_change"]
    if not unit.enabled:
        command(module, ["systemctl", "enable", name])
    known = read_stamp(stamp)
    action = decide(unit, found, known, on_change)
    if action == "tell":
        return action
    if action != "nothing":
        command(module, ["systemctl", action, name])
        if action == "reload":
            # Some daemons read their files after the signal, and end when they cannot.
            time.sleep(SETTLE_SECONDS)
        unit = look(module)
        if not unit.active:
            fail(module, f"{name} ended at its {action}", "")
    given = Stamp(found.paths, unit.invocation, found.sum, at_start)
    if on_change != "nothing" and known != given:
        write_stamp(stamp, given)
    return action


def run(module: AnsibleModule) -> dict[str, t.Any]:
    """Write, then let the service read; return the module's result."""
    files, on_change = module.params["files"], module.params["on_change"]
    paths = [*(file["path"] for file in files if not file["at_start"]), *module.params["reads"]]
    at_start = tuple(file["path"] for file in files if file["at_start"])
    stamp = stamp_of(module.params["name"])
    unit = look(module)
    before = {file["path"]: describe(file) for file in files}
    differing = write_differing(module, unit, Stamp(tuple(paths), at_start=at_start))
    written = [file["path"] for file in differing]
    removed = strangers(module)
    changed = bool(differing or removed)
    for file in files:
        if file not in differing:
            changed = set_attributes(module, file, file["path"]) or changed
    if not module.check_mode:
        for path in removed:
            remove(module, path)
        unit = prepare(module, unit, [*written, *removed])
        action = bring_up(module, unit, read_files(paths), stamp, at_start)
    elif set(written) & set(paths) and unit.active:
        action = on_change
    else:
        action = decide(unit, read_files(paths), read_stamp(stamp), on_change)
    return {
        "changed": changed or action != "nothing" or not unit.enabled,
        "written": written,
        "removed": removed,
        "action": action,
        "diff": [before[path] for path in written],
    }


def main() -> None:
    texts = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str"},
        "secret_content": {"type": "str", "no_log": True},
    }
    one_text = {
        "required_one_of": [("content", "secret_content")],
        "mutually_exclusive": [("content", "secret_content")],
    }
    module = ConfiguredServiceModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    **texts,
                    "owner": {"type": "str", "default": "root"},
                    "group": {"type": "str", "default": "root"},
                    "mode": {"type": "str", "default": "0644"},
                    "validate": {"type": "str"},
                    "at_start": {"type": "bool", "default": False},
                    "first": {"type": "bool", "default": False},
                },
                **one_text,
            },
            "owns": {"type": "list", "elements": "path", "default": []},
            "leaves": {"type": "list", "elements": "path", "default": []},
            "goes_with": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {**texts, "validate": {"type": "str", "required": True}},
                **one_text,
            },
            "reads": {"type": "list", "elements": "path", "default": []},
            "on_change": {"type": "str", "choices": ["reload", "restart", "tell", "nothing"], "default": "reload"},
        },
        supports_check_mode=True,
    )
    module.exit_json(**run(module))


if __name__ == "__main__":
    main()
