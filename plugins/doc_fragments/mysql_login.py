# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules share that log in to the MySQL or MariaDB server of the host they run on, as its root."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
requirements:
  - PyMySQL of the host's Python (Debian's package python3-pymysql)
options:
  login_unix_socket:
    description: Socket of the server, by default the one of the distribution's package. The module logs in as the operating system's user.
    type: path
"""
