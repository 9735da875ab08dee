# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Option of the modules that ask the HAProxy of the node they run on."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  socket:
    description: Runtime socket of HAProxy, its C(stats socket), which needs C(level admin) for changes.
    type: path
    default: /run/haproxy/admin.sock
"""
