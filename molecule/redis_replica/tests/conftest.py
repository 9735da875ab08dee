# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the tests use what several scenarios share."""

from __future__ import annotations

from ansible_collections.siteops.webcluster.molecule.utils.asking import ask, flavor

__all__ = ["ask", "flavor"]
