# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signs a host's certificate on the controller, where the authority's key is, and sends it where the host needs another one."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime

from ansible.plugins.action import ActionBase
from ansible_collections.siteops.webcluster.plugins.plugin_utils._certificates import CertificateError
from ansible_collections.siteops.webcluster.plugins.plugin_utils._cluster_ca import (
    ends_of,
    issue,
    missing_error,
    read_authority,
    why_anew,
)

MODULE = "siteops.webcluster.host_certificate"
FILES = "siteops.webcluster.file_tree"


class ActionModule(ActionBase):
    """The part of the module host_certificate that runs on the controller."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        private_key = str(arguments.pop("authority_private_key", ""))
        now = datetime.now(UTC)
        try:
            missing = missing_error()
            if missing:
                raise CertificateError(missing)
            certificate = str(arguments.get("authority_certificate") or "")
            authority = read_authority(certificate, private_key, now, "authority")
        except CertificateError as error:
            return {"failed": True, "msg": str(error)}
        found = self._do(MODULE, arguments, task_vars)
        if found.get("failed"):
            return found
        names = [str(name) for name in arguments["names"]]
        reason = why_anew(found["certificate"], authority, names, now)
        made = issue(authority, names, now) if reason and not self._task.check_mode else ""
        result = {**found, "reason": reason, "ends": self._ends(found["certificate"], made, reason)}
        if not reason and found["authority"] == authority.text:
            return result
        written = self._do(
            FILES,
            {
                "path": arguments["path"],
                "files": {"ca.pem": authority.text},
                "secret_files": {"server.pem": made} if reason else {},
                "keep_unlisted": True,
                # In check mode the package that makes the group may not be there yet.
                "group": None if self._task.check_mode else arguments.get("group"),
                "mode": "0640",
                "directory_mode": "0750",
            },
            task_vars,
        )
        return {**result, **{key: written[key] for key in ("changed", "failed", "msg", "diff") if key in written}}

    def _do(self, module: str, arguments: dict[str, t.Any], task_vars: dict[str, t.Any] | None) -> dict[str, t.Any]:
        given = {name: value for name, value in arguments.items() if value is not None}
        found: dict[str, t.Any] = self._execute_module(module_name=module, module_args=given, task_vars=task_vars)
        return found

    def _ends(self, present: str, made: str, reason: str) -> str:
        if reason and not made:
            return ""
        return ends_of(made or present).isoformat()
