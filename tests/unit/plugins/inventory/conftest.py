# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the plugin in this process against a loopback server: real SDK, real option handling, no child process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible_collections.siteops.webcluster.tests.loopback_arm import SUBSCRIPTION, TOKEN, LoopbackArm, tutorial

NAME = "siteops.webcluster.azure_subnet"
AZURE_VARIABLES = (
    "AZURE_ACCESS_TOKEN", "AZURE_AUTHORITY_HOST", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLOUD_ENVIRONMENT",
    "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_SECRET",
    "AZURE_SUBSCRIPTION_ID", "AZURE_TENANT", "AZURE_TENANT_ID", "IDENTITY_ENDPOINT", "IDENTITY_HEADER",
)  # fmt: skip
# The quickest patience that still tries again.
QUICK = {"timeout": 5, "retries": 2, "retry_time": 10, "deadline": 30}


@dataclass
class Display:
    """Keeps what the plugin says."""

    verbosity: int = 3
    warnings: list[str] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)

    def warning(self, text: str, **_more: Any) -> None:
        self.warnings.append(text.removeprefix("azure_subnet: "))

    def verbose(self, text: str, caplevel: int = 0, **_more: Any) -> None:
        self.notes.append((caplevel + 1, text.removeprefix("azure_subnet: ")))

    def vvv(self, text: str, **_more: Any) -> None:
        self.notes.append((3, text))


@dataclass
class Result:
    """An inventory as Ansible has it after the run."""

    data: InventoryData
    display: Display

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        return {name: host.vars for name, host in self.data.hosts.items()}

    @property
    def groups(self) -> dict[str, list[str]]:
        return {name: sorted(members) for name, members in self.data.get_groups_dict().items()}

    def members(self, group: str) -> list[str]:
        return sorted(host.name for host in self.data.groups[group].get_hosts())

    def children(self, group: str) -> list[str]:
        return sorted(child.name for child in self.data.groups[group].child_groups)

    @property
    def warnings(self) -> list[str]:
        return self.display.warnings

    def notes(self, level: int) -> list[str]:
        return [text for one, text in self.display.notes if one == level]


Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def _no_azure_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in AZURE_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def arm() -> Iterator[LoopbackArm]:
    """The tutorial's eight machines."""
    with LoopbackArm(tutorial()) as server:
        yield server


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Read an inventory file with these options beside the usual ones; None takes a usual one away."""

    def read(
        server: LoopbackArm | None, reuse: bool = True, data: InventoryData | None = None, **options: Any
    ) -> Result:
        usual: dict[str, Any] = {"plugin": NAME, "access_token": TOKEN, "subscription_ids": [SUBSCRIPTION], **QUICK}
        if server:
            usual["endpoint"] = server.url
        given = {name: value for name, value in {**usual, **options}.items() if value is not None}
        path = tmp_path / "azure_subnet.yml"
        path.write_text(yaml.safe_dump(given), encoding="utf-8")
        plugin = inventory_loader.get(NAME)
        plugin.display = Display()
        data = data or InventoryData()
        data.current_source = str(path)
        plugin.parse(data, DataLoader(), str(path), cache=reuse)
        if options.get("cache"):
            plugin.update_cache_if_changed()
        data.reconcile_inventory()
        return Result(data, plugin.display)

    return read
