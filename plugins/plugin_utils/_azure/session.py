# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This file is private to the collection and may change at any time.
"""Log in, and give whoever asks Azure the means to do so."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure import auth, client
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.arm import Send
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.clouds import Cloud
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.parallel import Runner, Task
from ansible_collections.siteops.webcluster.plugins.plugin_utils._azure.retry import Limits


@dataclass(frozen=True)
class Login:
    """Where, as whom, how patiently, and by what name Azure is asked."""

    cloud: Cloud
    auth: auth.AuthSettings
    limits: Limits
    agent: str
    network: bool = True


@contextlib.contextmanager
def session(login: Login, runner: Runner, learn: Callable[[str], None]) -> Iterator[Send]:
    """The clients of azure-mgmt-*, with a token that they all share; `learn` is told it, so that nobody shows it."""
    mode = auth.choose(login.auth)
    client.load(
        [
            "azure.core.rest",
            *(["azure.identity"] if mode != "access_token" else []),
            "azure.mgmt.compute",
            *(["azure.mgmt.network"] if login.network else []),
        ]
    )
    source = partial(auth.make, login.auth, mode, login.cloud)
    token = auth.SharedToken(login.auth, mode, login.cloud, source, learn)
    runner.run([Task("the token", partial(token.get_token, login.cloud.scope))])
    clients = client.Clients(login.cloud, token, login.limits, runner.sleep, login.agent)
    with contextlib.closing(token), contextlib.closing(clients):
        yield clients.send
