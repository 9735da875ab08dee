# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the look at a host tells of earlier runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.siteops.webcluster.plugins.module_utils import _configured_service
from ansible_collections.siteops.webcluster.plugins.modules import preflight


def test_what_an_earlier_run_brought_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_configured_service, "STAMPS", str(tmp_path / "stamps"))
    stamp = _configured_service.Stamp(invocation="1", sum="2", paths=())
    _configured_service.write_stamp(_configured_service.stamp_of("keepalived"), stamp)
    there, broken, missing = (str(tmp_path / name) for name in ("there", "broken", "missing"))
    Path(there).touch()
    Path(broken).symlink_to(missing)
    with patch_module_args({"paths": [there, missing, broken]}), pytest.raises(SystemExit):
        preflight.main()
    found = json.loads(capsys.readouterr().out)
    assert (found["configured"], found["present"], found["changed"]) == (["keepalived"], [there, broken], False)
