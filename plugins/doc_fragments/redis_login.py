# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that log in to the Redis server of the node they run on."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_host:
    description: Address of the server, as seen from the node.
    type: str
    default: 127.0.0.1
  login_port:
    description: Port of the server.
    type: int
    default: 6379
  login_unix_socket:
    description: Path of the server's socket, used instead of O(login_host) and O(login_port).
    type: path
  login_user:
    description: >-
      ACL user with all rights. A server that knows no such user, but lets everybody in, is used without login:
      that is how a freshly installed package behaves.
    type: str
  login_password:
    description: Password of O(login_user).
    type: str
  login_file:
    description:
      - File on the node, for root only, with the login that M(siteops.webcluster.redis_settings) used at last and the names of the
        users that it gave. The login is tried where O(login_user) is refused, as a server does not know a new user or password
        before it is told.
    type: path
    default: /etc/webcluster-redis.json
  connect_timeout:
    description: Seconds to wait for the connection.
    type: int
    default: 5
  data_dir:
    description: >-
      Folder of the server's data. With it, a start that would lose data is refused: a server with C(appendonly yes)
      ignores a C(dump.rdb) without an append-only file beside it.
    type: path
"""
