# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root filesystem of the hosts, built when its recipe is new."""

from __future__ import annotations

import hashlib
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterable

from .command import LabError
from .machine import cache_root
from .podman import Podman

REPOSITORY = "localhost/webcluster-lab"
RECIPE_DIR = pathlib.Path(__file__).resolve().parent / "recipe"
BUILD_MEMORY_MB = 6000
RELEASES = {"12": "bookworm", "13": "trixie", "sid": "sid"}


def recipe_digest(release: str, files: Iterable[pathlib.Path]) -> str:
    """Changes whenever the recipe does."""
    digest = hashlib.sha256(release.encode())
    for path in sorted(files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def image_name(release: str) -> str:
    files = [RECIPE_DIR / name for name in ("build.sh", "customize.sh", f"packages-{release}", "packages")]
    return f"{REPOSITORY}:{release}-{recipe_digest(release, [path for path in files if path.exists()])}"


def ensure_image(podman: Podman, release: str) -> str:
    """The cached image, built when its recipe is new; one for all labs of the machine."""
    given = os.environ.get("LAB_IMAGE")
    if given:
        return given
    if release not in RELEASES:
        raise LabError(f"LAB_RELEASE is '{release}'; expected one of {', '.join(RELEASES)}.")
    name = image_name(release)
    if podman.runner(podman.argv("image", "exists", name), check=False).returncode != 0:
        build_image(podman, release, name)
    return name


def build_image(podman: Podman, release: str, name: str) -> None:
    print(f"lab: building the image {name} (once; some minutes)", file=sys.stderr)
    available = int(pathlib.Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]) // 1024
    in_memory = "1" if available > BUILD_MEMORY_MB else "0"
    log = cache_root() / f"build-{release}.log"
    command = ["bash", str(RECIPE_DIR / "build.sh"), RELEASES[release], release, in_memory]
    with log.open("w") as sink:
        build = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink)
        loaded = subprocess.run(
            podman.argv("import", "--change", 'CMD ["/sbin/init"]', "-", f"{name}-new"),
            stdin=build.stdout,
            stdout=sink,
            stderr=sink,
            check=False,
        )
    if build.wait() != 0 or loaded.returncode != 0:
        podman("rmi", "--force", f"{name}-new", check=False)
        tail = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-1:]
        raise LabError(f"Building the image for Debian {release} failed, see {log}: {''.join(tail)}")
    podman("tag", f"{name}-new", name)
    podman("untag", f"{name}-new", f"{name}-new")
    older = [tag for row in podman.json("images", REPOSITORY) for tag in row.get("Names") or []]
    for tag in older:
        # One that still has hosts stays; podman refuses.
        if tag.startswith(name.rsplit("-", 1)[0]) and tag != name:
            podman("rmi", tag, check=False)
