# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the command line; an error is one sentence."""

from __future__ import annotations

import sys

from .cli import main
from .command import LabError

try:
    sys.exit(main(sys.argv[1:]))
except LabError as error:
    print(f"lab: {error}", file=sys.stderr)
    sys.exit(2)
