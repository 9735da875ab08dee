#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: file_tree
short_description: Make a directory hold given files and nothing else
version_added: 0.1.0
description:
  - Writes a set of small text files in one step, each one atomically, and removes everything else from the directory.
  - One task instead of one round trip for each file.
author:
  - siteops contributors (@siteops)
attributes:
  check_mode:
    description: Can run in check mode and tell what would change.
    support: full
  diff_mode:
    description: Shows the texts that change, except those of O(secret_files) and what stood in files that others cannot read.
    support: full
  platform:
    description: Target operating systems.
    support: full
    platforms: posix
options:
  path:
    description:
      - Directory to own. It is created when missing, and B(everything in it that is not listed is removed), without O(keep_unlisted).
      - It must be an absolute path with at least two parts.
    type: path
    required: true
  files:
    description: Texts by their path below O(path). Anything else than a text is refused.
    type: dict
    default: {}
  secret_files:
    description:
      - Like O(files), but their texts are never logged or shown, and others can never read them, whatever O(mode) says.
    type: dict
    default: {}
  keep_unlisted:
    version_added: 0.3.0
    description: Leave what is not listed where it is, for example until a service no longer uses it.
    type: bool
    default: false
  owner:
    description: Owner of the files and directories, by name or number.
    type: str
  group:
    description: Group of the files and directories, by name or number.
    type: str
  mode:
    description: Mode of the files, as a quoted octal number.
    type: str
    default: "0644"
  directory_mode:
    description: Mode of the directories, O(path) included, as a quoted octal number.
    type: str
    default: "0755"
"""

EXAMPLES = r"""
- name: Install the pages
  siteops.webcluster.file_tree:
    path: /var/www/example
    files:
      public/index.html: "{{ lookup('ansible.builtin.file', 'index.html', rstrip=false) }}"
      public/style.css: "{{ lookup('ansible.builtin.file', 'style.css', rstrip=false) }}"
    owner: root
    group: root

- name: Install a password for the web server only
  siteops.webcluster.file_tree:
    path: /etc/example
    secret_files:
      login.json: "{{ {'password': example_password} | to_json }}"
    group: www-data
    mode: "0640"
    directory_mode: "0750"
"""

RETURN = r"""
written:
  description: Files that were written, relative to O(path).
  returned: always
  type: list
  elements: str
  sample: [public/index.html]
removed:
  description: Files and directories that were removed, relative to O(path).
  returned: always
  type: list
  elements: str
  sample: []
"""

import os
import shutil
import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._file_tree import (
    Plan,
    TreeError,
    as_bytes,
    as_mode,
    check_names,
    for_secret,
    make_plan,
    parents_of,
    readable_by_all,
)


class FileTreeModule(AnsibleModule):
    """Keeps the texts out of the node's system log, where every call of a module is written."""

    def log(self, msg: str, log_args: dict[str, t.Any] | None = None) -> None:
        if log_args:
            names = sorted([*self.params["files"], *self.params["secret_files"]])
            msg, log_args = f"Invoked with path={self.params['path']} names={','.join(names)}", None
        super().log(msg, log_args=log_args)


def apply_plan(
    module: AnsibleModule, root: str, files: t.Mapping[str, bytes], modes: t.Mapping[str, int], plan: Plan
) -> None:
    """Remove, make and write, in this order."""
    for name in plan.remove:
        path = os.path.join(root, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    # Folders above the tree that are made on the way are everybody's to pass, whatever the umask of this run.
    os.umask(0o022)
    for name in plan.make:
        os.makedirs(os.path.join(root, name), mode=0o700, exist_ok=True)
    for name in plan.write:
        # Made with mode 0600 beside its place; it gets its name last. What a crash leaves, the next run removes.
        path = os.path.join(root, name)
        handle, temporary = tempfile.mkstemp(prefix=".new-", dir=os.path.dirname(path))
        with os.fdopen(handle, "wb") as file:
            file.write(files[name])
        set_attributes(module, temporary, modes[name])
        os.replace(temporary, path)


def set_attributes(module: AnsibleModule, path: str, mode: int) -> bool:
    """Give a file or directory the wanted owner and mode."""
    if not os.path.lexists(path):
        return False
    changed = module.set_owner_if_different(path, module.params["owner"], False)
    changed = module.set_group_if_different(path, module.params["group"], changed)
    return bool(module.set_mode_if_different(path, mode, changed))


def describe(root: str, texts: t.Mapping[str, str], plan: Plan) -> list[dict[str, str]]:
    """Return the diff, without secret texts."""
    parts = []
    for name in plan.write:
        path = os.path.join(root, name)
        part = {"before_header": path, "after_header": path}
        if name in texts:
            before = ""
            if os.path.isfile(path) and not os.path.islink(path):
                # It may have been a secret.
                before = "(not readable by others, not shown)\n"
                if readable_by_all(path):
                    with open(path, encoding="utf-8", errors="replace") as file:
                        before = file.read()
            part.update(before=before, after=texts[name])
        else:
            part.update(before="", after="(secret, not shown)\n")
        parts.append(part)
    for name in plan.remove:
        path = os.path.join(root, name)
        parts.append({"before_header": path, "after_header": path, "before": "present\n", "after": ""})
    return parts


def main() -> None:
    module = FileTreeModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "files": {"type": "dict", "default": {}},
            "secret_files": {"type": "dict", "default": {}, "no_log": True},
            "keep_unlisted": {"type": "bool", "default": False},
            "owner": {"type": "str"},
            "group": {"type": "str"},
            "mode": {"type": "str", "default": "0644"},
            "directory_mode": {"type": "str", "default": "0755"},
        },
        supports_check_mode=True,
    )
    root = os.path.normpath(module.params["path"])
    if not os.path.isabs(root) or root.count("/") < 2:
        module.fail_json(
            msg=f"path: {module.params['path']!r} is too wide to be owned: give an absolute path with at least two parts."
        )
    if os.path.lexists(root) and not os.path.isdir(root):
        module.fail_json(msg=f"path: {root} exists and is no directory: move it away or choose another path.")
    texts: dict[str, str] = module.params["files"]
    try:
        plain, secrets = as_bytes("files", texts), as_bytes("secret_files", module.params["secret_files"])
        files = {**plain, **secrets}
        mode = as_mode("mode", module.params["mode"])
        directory_mode = as_mode("directory_mode", module.params["directory_mode"])
        check_names(files)
    except TreeError as error:
        module.fail_json(msg=str(error))
    modes = {name: for_secret(mode) if name in secrets else mode for name in files}
    twice = sorted(set(plain) & set(secrets))
    if twice:
        module.fail_json(msg=f"files and secret_files both name {', '.join(twice)}: keep one of them.")
    plan = make_plan(root, files)
    if module.params["keep_unlisted"]:
        plan.remove.clear()
    diff = describe(root, texts, plan)
    changed = bool(plan)
    if changed and not module.check_mode:
        apply_plan(module, root, files, modes, plan)
    directories = {"", *(parent for name in files for parent in parents_of(name))}
    for name in sorted(directories):
        changed = set_attributes(module, os.path.join(root, name), directory_mode) or changed
    for name in files:
        # What was just written, or would be, has its attributes already.
        if name not in plan.write:
            changed = set_attributes(module, os.path.join(root, name), modes[name]) or changed
    module.exit_json(changed=changed, written=plan.write, removed=plan.remove, diff=diff)


if __name__ == "__main__":
    main()
