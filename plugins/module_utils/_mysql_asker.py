# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What those who ask MySQL and MariaDB need of a client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import MysqlError, Rows


class Client(Protocol):
    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]: ...


class Asker(Client, Protocol):
    """Stays connected between the queries and gives up on one after timeout seconds."""

    timeout: float

    def close(self) -> None: ...
