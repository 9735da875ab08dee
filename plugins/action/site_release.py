# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sends a site's archive to a host that lacks the release, and no other: a second run asks each host once."""

from __future__ import annotations

import getpass
import os
import socket
import typing as t

from ansible.plugins.action import ActionBase

MODULE = "siteops.webcluster.site_release"


def who(variables: t.Mapping[str, t.Any]) -> str:
    """Who runs Ansible, for the log: AWX knows whom it works for."""
    user = variables.get("awx_user_name") or getpass.getuser()
    return f"{user}@{socket.gethostname()}"


class ActionModule(ActionBase):
    """The part of the module site_release that runs on the controller."""

    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        arguments = {"by": who(task_vars or {}), **self._task.args}
        sites = [dict(site) for site in arguments.get("sites") or []]
        archives = {str(site.get("name")): str(site.pop("archive", "")) for site in sites}
        asked = self._ask({**arguments, "sites": sites}, task_vars)
        lacking = [name for name in asked.get("missing") or [] if archives.get(name)]
        if not lacking or self._task.check_mode:
            return self._judge(asked, archives)
        self._make_tmp_path()
        for site in sites:
            if site["name"] in lacking:
                site["archive"] = self._send(archives[site["name"]])
        return self._judge(self._ask({**arguments, "sites": sites}, task_vars), archives)

    def _ask(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        found: dict[str, t.Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        return found

    def _send(self, archive: str) -> str:
        path = self._connection._shell.join_path(self._connection._shell.tmpdir, os.path.basename(archive))
        self._transfer_file(archive, path)
        self._fixup_perms2((self._connection._shell.tmpdir, path))
        return str(path)

    def _judge(self, result: dict[str, t.Any], archives: dict[str, str]) -> dict[str, t.Any]:
        """A release that is nowhere is an error, not something to wait for."""
        nowhere = [name for name in result.get("missing") or [] if not archives.get(name)]
        if nowhere and not result.get("failed"):
            result |= {
                "failed": True,
                "changed": False,
                "msg": f"Site {nowhere[0]}: its release is not on this host and no archive was given; expected one: pack it first.",
            }
        return result
