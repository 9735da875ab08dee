# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in for a server or for Ansible in the tests of modules."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import Client, MysqlError, Rows


class ModuleError(Exception):
    """A module failed, with this sentence."""


class Module(AnsibleModule):
    """A module that was given these parameters, its defaults for the others."""

    def __init__(self, arguments: dict[str, Any], params: dict[str, Any], check_mode: bool = False) -> None:
        self.check_mode = check_mode
        self.params = {name: spec.get("default") for name, spec in arguments.items()} | params

    def fail_json(self, msg: str, **_result: Any) -> NoReturn:
        raise ModuleError(msg)


class MysqlServer(Client):
    """A MySQL server; a test says what it answers to a question, or which MysqlError it raises."""

    closed = 0

    @abstractmethod
    def answer(self, statements: Sequence[str]) -> list[Rows]:
        """Return one row list for each statement."""

    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]:
        try:
            return self.answer(statements), None
        except MysqlError as error:
            return [], error

    def close(self) -> None:
        self.closed += 1


class RefusingServer(MysqlServer):
    """Whatever is asked, it answers with one error."""

    def __init__(self, error: MysqlError) -> None:
        self.error = error

    def answer(self, _statements: Sequence[str]) -> NoReturn:
        raise self.error
