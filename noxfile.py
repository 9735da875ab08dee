# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sessions of antsibull-nox.toml, and ansible-test sanity."""

import antsibull_nox
import nox

antsibull_nox.load_antsibull_nox_toml()


@nox.session(python=False)
def sanity(session: nox.Session) -> None:
    """Run ansible-test sanity with the ansible-core of the virtual environment that runs nox."""
    session.run("tools/sanity.sh", *session.posargs, external=True)


if __name__ == "__main__":
    nox.main()
