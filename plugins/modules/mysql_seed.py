#!/usr/bin/python
# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fill a replica with a copy of its primary's data."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_seed
short_description: Fill a MariaDB replica with a copy of its primary's data
version_added: 0.3.0
description:
  - Decides whether a replica needs a copy of the primary's data, as the binary logs alone do not do, and makes it one that goes on
    from exactly the copy's last transaction. M(siteops.webcluster.mysql_source) then starts the replication.
  - Never replaces data that the primary does not have, unless O(allow_reseed) is given; the sentence tells what would be lost.
  - The copy is received and made consistent below the data directory while the server still runs on its former data, which give
    way when it is complete. A marker keeps what was begun. A copy that did not become complete is thrown away by the next run, and one
    that was being moved into place is moved to the end.
options:
  state:
    description:
      - V(planned) decides, and first ends or completes what a former run has begun.
      - V(prepared) makes a key and returns its certificate; V(received) listens, and receives the copy.
      - V(awaited) waits for V(received), which runs as an asynchronous task, and prints how far it is.
    type: str
    choices: [planned, prepared, received, awaited]
    default: planned
  source:
    description: What M(siteops.webcluster.mysql_seed_source) said of the primary. Needed for all but O(state=awaited).
    type: dict
  host:
    description: Address of the primary, for the sentences.
    type: str
    default: the primary
  allow_reseed:
    description: Whether data of this server that the primary does not have may be replaced.
    type: bool
    default: false
  address:
    description: Address of this host to listen at. Needed for O(state=received).
    type: str
  port:
    description: Port to listen at, until the primary came or 90 seconds have passed.
    type: int
    default: 4444
  certificate:
    description: Certificate of the primary for this copy. Needed for O(state=received).
    type: str
  service:
    description: Name of the server's service.
    type: str
    default: mariadb
  datadir:
    description: The data directory, where no server runs yet that tells it.
    type: path
    default: /var/lib/mysql
  read_only_file:
    description: Option file that keeps the server closed for writes when it starts on the copy.
    type: str
    default: /etc/mysql/conf.d/webcluster-read-only.cnf
attributes:
  check_mode:
    description: Can run in check mode and tell what would change.
    support: partial
    details:
      - With O(state=planned) it decides, and leaves what a former run has begun as it is. With the others it does nothing, and says that
        a copy would be made.
  diff_mode:
    description: There is nothing to show.
    support: none
notes:
  - While a copy is made, C(/var/lib/webcluster-seed/progress.json) on the replica tells how far it is.
extends_documentation_fragment:
  - siteops.webcluster.mysql_login
author:
  - siteops contributors (@siteops)
"""

EXAMPLES = r"""
- name: Decide whether the binary logs are enough
  siteops.webcluster.mysql_seed:
    source: "{{ described.source }}"
    host: 10.0.0.20
  register: plan

- name: Wait for the copy
  siteops.webcluster.mysql_seed:
    state: awaited
"""

RETURN = r"""
needed:
  description: Why a copy is needed, for O(state=planned); empty where it is not.
  type: str
  returned: when it was asked
  sample: it is empty, and the binary logs of the primary do not hold all of its data
lost:
  description: What this server holds and the primary does not, for O(state=planned).
  type: str
  returned: when it was asked
certificate:
  description: Certificate of this side for one copy, for O(state=prepared).
  type: str
  returned: when one was made
progress:
  description: How far the copy is, for O(state=awaited).
  type: dict
  returned: when one is made
  sample: {step: done, received: 268435456, expected: 270000000, seconds: 6.5, said: ""}
said:
  description: The same for people, for O(state=awaited).
  type: str
  returned: when one is made
  sample: done, 268 MB after 9 s
"""

import os
import shutil
import signal
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import server as servers
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql import source as sources
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    Client,
    MysqlClient,
    MysqlError,
    MysqlLogin,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.content import READ_SCHEMAS
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.kept_files import READ_ONLY_FILE, read_only_text
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import READ_STATUS
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed import channel, copy, place
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.channel import SeedError
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.decide import (
    Decision,
    Here,
    Source,
    decide,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.progress import (
    Progress,
    Reporter,
    in_words,
    read_progress,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_seed.serve import service_of
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.at_rest import is_empty

ARGUMENTS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["planned", "prepared", "received", "awaited"], "default": "planned"},
    "source": {"type": "dict"},
    "host": {"type": "str", "default": "the primary"},
    "allow_reseed": {"type": "bool", "default": False},
    "address": {"type": "str"},
    "port": {"type": "int", "default": 4444},
    "certificate": {"type": "str"},
    "service": {"type": "str", "default": "mariadb"},
    "datadir": {"type": "path", "default": "/var/lib/mysql"},
    "read_only_file": {"type": "str", "default": READ_ONLY_FILE},
    "login_unix_socket": {"type": "path"},
}
PROGRESS = "progress.json"
# Bytes that are left to whatever else writes to the disk.
RESERVE = 64 * 1024 * 1024
# After how many bytes the disk is looked at.
STRIDE = 8 * 1024 * 1024


def source_of(params: dict[str, Any]) -> Source:
    given = dict(params["source"])
    return Source(
        given["flavor"],
        given["version"],
        given["in_logs"],
        int(given["size"]),
        given["written"],
        tuple(given["schemas"]),
        given["own_id"],
    )


def free(path: Path) -> int:
    """Bytes left on the disk that holds the path, or is going to."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def look(client: Client, datadir: Path) -> Here:
    """Ask the server of this host, where one answers."""
    try:
        server = servers.read_server(*client.query([servers.READ_VARIABLES, READ_SCHEMAS]))
        channels = sources.read_channels(client.query(READ_STATUS)[-1], {})
    except MysqlError as error:
        if not servers.is_absent(error):
            raise
        return Here(None, (), is_empty("mysql"), free(datadir))
    return Here(server, channels, server.content.empty, free(Path(server.variables.get("datadir") or datadir)))


def datadir_of(here: Here, params: dict[str, Any]) -> Path:
    return Path((here.server.variables.get("datadir") if here.server else None) or params["datadir"])


def decided(params: dict[str, Any], here: Here) -> Decision:
    return decide(here, source_of(params), params["host"], params["allow_reseed"])


def plan(module: AnsibleModule, client: Client, folder: Path) -> dict[str, Any]:
    """End what a former run has begun, then decide."""
    params, completed = module.params, False
    marker = place.read_marker(folder) if folder.is_dir() else None
    if marker and not module.check_mode:
        place.end_former(folder)
        marker = place.read_marker(folder)
        if marker and marker.phase == "receiving":
            place.clear(Path(marker.datadir), folder)
        elif marker:
            place.finish(folder, marker, service_of(client))
            completed = True
    decision = decided(params, look(client, Path(params["datadir"])))
    if decision.refusal:
        raise SeedError(decision.refusal)
    would = bool(module.check_mode and (decision.needed or marker))
    return {"changed": completed or would, "needed": decision.needed, "lost": decision.lost, "completed": completed}


def prepare(module: AnsibleModule, client: Client, folder: Path) -> dict[str, Any]:
    """Look again, as a server that was not there at first is there now, and make a key."""
    params = module.params
    here = look(client, Path(params["datadir"]))
    decision = decided(params, here)
    if decision.refusal or here.server is None:
        raise SeedError(decision.refusal or "the server here does not answer, expected one that runs: see its log")
    place.own_folder(folder)
    (folder / PROGRESS).unlink(missing_ok=True)
    certificate = channel.make_identity(folder)
    text = read_only_text(here.server.is_mariadb, True)
    marker = place.Marker(
        "receiving", str(datadir_of(here, params)), params["service"], "", params["read_only_file"], text
    )
    place.write_marker(folder, marker)
    return {"changed": True, "certificate": certificate}


def stop_by_signal(number: int, _frame: object) -> NoReturn:
    raise SeedError(f"it was ended by signal {number}")


def receive(module: AnsibleModule, client: Client, folder: Path) -> dict[str, Any]:
    """Receive the copy, make it consistent, and let it take the place of the data."""
    params, lock = module.params, place.Lock(folder)
    marker = place.read_marker(folder)
    if marker is None or marker.phase != "receiving" or not lock.take_soon():
        raise SeedError("nothing was prepared here, or another copy is under way; run again")
    signal.signal(signal.SIGTERM, stop_by_signal)
    datadir = Path(marker.datadir)
    target = datadir / place.NEW
    reporter = Reporter(folder / PROGRESS, source_of(params).size)
    full = f"the disk of {datadir} is full"

    def count(size: int) -> None:
        reporter.add(size)
        if reporter.received // STRIDE != (reporter.received - size) // STRIDE and free(datadir) < RESERVE:
            raise SeedError(full)

    try:
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(mode=0o700)
        reporter.write("receiving")
        with channel.listen(params["address"], params["port"]) as listener:
            connection = channel.accept(listener, channel.context(folder, params["certificate"], server=True))
        with connection:
            reporter.write("receiving")
            chunks = channel.received(connection, lambda: reporter.write("receiving"))
            copy.unpack(chunks, copy.unpack_command(target), count)
        reporter.write("preparing")
        copy.prepare(target)
        position = copy.position_of(target)
        copy.tidy(target)
        reporter.write("moving")
        # From here on a next run goes on instead of starting over.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        place.finish(
            folder,
            place.write_marker(folder, replace(marker, phase="aside", position=position)),
            service_of(client),
        )
        reporter.write("done")
    except (SeedError, MysqlError, OSError) as error:
        reached = place.read_marker(folder)
        why = full if free(datadir) < RESERVE else channel.reason(error)
        if reached and reached.phase == "receiving":
            place.clear(datadir, folder)
        after = (
            "the data here were not touched" if not reached or reached.phase == "receiving" else "the copy is complete"
        )
        sentence = f"{why}; {after}, run again"
        reporter.write("failed", sentence)
        raise SeedError(sentence) from None
    finally:
        lock.release()
    return {"changed": True, "position": position}


def watch(folder: Path) -> dict[str, Any]:
    """One look at the copy that another process receives."""
    found = read_progress(folder / PROGRESS) or Progress("waiting")
    lock = place.Lock(folder)
    runs = not lock.take()
    if not runs:
        lock.release()
        # It may have ended between the two looks.
        found = read_progress(folder / PROGRESS) or found
    if found.step == "failed":
        raise SeedError(found.said)
    finished = found.step == "done"
    lost = not runs and found.step not in ("done", "waiting")
    if lost:
        raise SeedError(f"the process that received the copy was ended while it was {found.step}; run again")
    return {"changed": finished, "finished": finished, "progress": asdict(found), "said": in_words(found)}


def run(module: AnsibleModule, client: Client, folder: Path = place.FOLDER) -> dict[str, Any]:
    """Return the module's result."""
    state, result = module.params["state"], {"changed": module.params["state"] != "awaited", "finished": True}
    try:
        if state == "planned":
            result = plan(module, client, folder)
        elif state == "prepared" and not module.check_mode:
            result = prepare(module, client, folder)
        elif state == "received" and not module.check_mode:
            result = receive(module, client, folder)
        elif not module.check_mode:
            result = watch(folder)
    except (SeedError, MysqlError) as error:
        module.fail_json(msg=f"MySQL: {error}")
    except OSError as error:
        module.fail_json(msg=f"MySQL: {channel.reason(error)}")
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        required_if=[
            ("state", "planned", ["source"]),
            ("state", "prepared", ["source"]),
            ("state", "received", ["source", "address", "certificate"]),
        ],
    )
    os.umask(0o077)
    client = MysqlClient(MysqlLogin(unix_socket=module.params["login_unix_socket"]))
    module.exit_json(**run(module, client))


if __name__ == "__main__":
    main()
