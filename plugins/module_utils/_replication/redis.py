# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask Redis and Valkey about their replication, and translate the replies into facts."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.status import integer
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.client import (
    Client,
    RedisClient,
    RedisError,
    RedisLogin,
    Reply,
    parse_info,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._redis.fence import FENCED, is_fenced
from ansible_collections.siteops.webcluster.plugins.module_utils._replication import canary_redis
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.canary import Canary, refuse_replica
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.certificate import ends_at
from ansible_collections.siteops.webcluster.plugins.module_utils._replication.facts import (
    LOOPBACK,
    CanaryReply,
    Channel,
    Failure,
    Identity,
    Look,
    Note,
    Refusal,
    Replica,
    Snapshot,
    Thread,
    reachable_address,
    version_info,
)

# repl-ping-replica-period where the server does not tell: its default.
PING_PERIOD = 10
# min-replicas-max-lag likewise. A replica acknowledges once a second.
MAX_LAG = 10
SETTINGS = (
    "bind",
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "repl-ping-replica-period",
    "save",
    "stop-writes-on-bgsave-error",
    "tls-replication",
)
# Redis 6.0 shows seconds since 1970 before its first sync.
ABSURD_SECONDS = 10**8


class RedisProbe:
    """Asks one server. installed: whether this host has one; fenced: whether it is kept from starting."""

    def __init__(
        self,
        client: RedisClient,
        login_host: str | None,
        connect: Callable[[RedisLogin], RedisClient] = RedisClient,
        installed: Callable[[], bool] | None = None,
        fenced: Callable[[], bool] | None = None,
    ) -> None:
        self.client = client
        self.login_host = login_host
        self.connect = connect
        self.installed = installed or is_installed
        self.fenced = fenced or is_fenced

    def look(self, canary: Canary | None = None) -> Look:
        user = self.client.login.username
        try:
            snapshot = translate(ask(self.client, user), self.login_host, user)
            snapshot.certificate_ends = ends_at(self.client.certificate_ends)
            explain_link(self.client, snapshot, self.connect)
        except RedisError as error:
            stopped = error.detail in ("refused", "no_socket") and not self.login_host
            found = failure(error, stopped and not self.installed(), user)
            return Look(
                replace(found, hint=f"{FENCED[0].upper()}{FENCED[1:]}.") if stopped and self.fenced() else found
            )
        return Look(snapshot, self._send(canary, snapshot) if canary else None)

    def _send(self, canary: Canary, snapshot: Snapshot) -> CanaryReply:
        user = self.client.login.username
        if canary.mode == "read":
            return canary_redis.read(self.client, canary, user)
        online = sum(1 for replica in snapshot.replicas or [] if replica.online)
        return refuse_replica(snapshot) or canary_redis.write(self.client, canary, user, online)

    def close(self) -> None:
        self.client.close()


# --- What is asked ------------------------------------------------------------------------------------------------


@dataclass
class Answers:
    """The replies of one look."""

    info: dict[str, str] = field(default_factory=dict)
    role: list[Any] = field(default_factory=list)
    config: dict[str, str] = field(default_factory=dict)
    cluster_state: str | None = None
    notes: list[Note] = field(default_factory=list)


def config_get(client: Client, *names: str) -> dict[str, str]:
    """Return settings, one command each because Redis 6 knows one name a command; {} where that is not allowed."""
    found: dict[str, str] = {}
    for name in names:
        try:
            reply = client.command("CONFIG", "GET", name)
        except RedisError as error:
            if error.kind in ("unreachable", "protocol"):
                raise
            return found
        if isinstance(reply, list):
            pairs = [str(item) for item in reply]
            for index in range(0, len(pairs) - 1, 2):
                found[pairs[index]] = pairs[index + 1]
    return found


def ask(client: Client, user: str | None = None) -> Answers:
    """Ask the server; only INFO is indispensable."""
    info = client.command("INFO")
    if not isinstance(info, str):
        raise RedisError("protocol", "INFO did not answer with a text")
    answers = Answers(info=parse_info(info))
    if "role" not in answers.info:
        raise RedisError("protocol", "INFO did not answer with a replication section")
    role = _optional(client, answers, user, "ROLE")
    answers.role = role if isinstance(role, list) else []
    if integer(answers.info.get("cluster_enabled")):
        cluster = _optional(client, answers, user, "CLUSTER", "INFO")
        answers.cluster_state = parse_info(cluster).get("cluster_state") if isinstance(cluster, str) else None
    answers.config = config_get(client, *SETTINGS)
    return answers


def _optional(client: Client, answers: Answers, user: str | None, *command: str) -> Reply:
    """Ask what a look can do without; where that is not allowed, say so."""
    try:
        return client.command(*command)
    except RedisError as error:
        if error.kind in ("unreachable", "protocol"):
            raise
        name = " ".join(command).lower()
        hint = grant(user) if len(command) == 1 else f"ACL SETUSER {user or 'default'} +{'|'.join(command).lower()}"
        answers.notes.append(Note(f"not everything could be read: {name}: {error.message}", hint))
        return None


# --- What it means ------------------------------------------------------------------------------------------------


def _replid(value: str | None) -> str | None:
    """Return a replication id; a row of zeros means none."""
    return value if value and value.strip("0") else None


def _replicas(info: Mapping[str, str], config: Mapping[str, str]) -> list[Replica]:
    found = []
    oldest = integer(config.get("min-replicas-max-lag")) or MAX_LAG
    for name, value in info.items():
        if not re.match(r"(?:slave|replica)\d+\Z", name):
            continue
        fields = dict(item.partition("=")[::2] for item in value.split(","))
        lag = integer(fields.get("lag"))
        found.append(
            Replica(
                host=fields.get("ip"),
                port=integer(fields.get("port")),
                state=fields.get("state"),
                offset=integer(fields.get("offset")),
                lag=lag,
                # One that has gone without a word is called online until repl-timeout is over.
                online=fields.get("state") == "online" and (lag is None or lag <= oldest),
            )
        )
    return found


def _addresses(answers: Answers, login_host: str | None) -> list[str]:
    """Return under what the server itself can be reached, as far as it tells."""
    listeners = " ".join(value for name, value in answers.info.items() if name.startswith("listener"))
    bound = [*re.findall(r"bind=([^,\s]+)", listeners), *answers.config.get("bind", "").split(), login_host or ""]
    return [item.lstrip("-") for item in [*bound, *LOOPBACK] if item]


def _host(answers: Answers, login_host: str | None) -> str | None:
    """Return the address under which the server is best known; never a loopback address."""
    for item in _addresses(answers, login_host):
        address = reachable_address(item)
        if address:
            return address
    return login_host if login_host and not re.match(r"(localhost|127\.|::1)", login_host) else None


def link_state(info: Mapping[str, str], role: list[Any]) -> str:
    """Return connected, sync, handshake, connecting or connect: ROLE's word where the link is not up."""
    if integer(info.get("master_sync_in_progress")):
        return "sync"
    word = str(role[3]) if len(role) > 3 and role[0] == "slave" else None
    if info.get("master_link_status") == "up":
        return "connected" if word in (None, "connected") else str(word)
    return word if word and word != "connected" else "connect"


def _channel(answers: Answers) -> Channel:
    info = answers.info
    state = link_state(info, answers.role)
    up = state == "connected"
    idle = integer(info.get("master_last_io_seconds_ago"))
    down = integer(info.get("master_link_down_since_seconds"))
    read_to, applied = integer(info.get("slave_read_repl_offset")), integer(info.get("slave_repl_offset"))
    return Channel(
        host=info.get("master_host"),
        port=integer(info.get("master_port")),
        # While the link is down the id is the replica's own or that of its past, not the primary's.
        replid=_replid(info.get("master_replid")) if up else None,
        io=Thread(
            state=state,
            since=f"{down} s" if down is not None and 0 <= down < ABSURD_SECONDS else None,
            attempts=info.get("master_current_sync_attempts"),
            heartbeat_age=float(idle) if up and idle is not None and idle >= 0 else None,
            heartbeat_period=float(integer(answers.config.get("repl-ping-replica-period")) or PING_PERIOD),
        ),
        lag_bytes=read_to - applied if up and read_to is not None and applied is not None else None,
        tls={"yes": True, "no": False}.get(answers.config.get("tls-replication", "")),
    )


def _writes_refused(answers: Answers) -> Refusal | None:
    """Say why a primary would refuse a write, where its own words tell."""
    info, config = answers.info, answers.config
    good, wanted = integer(info.get("min_slaves_good_slaves")), integer(config.get("min-replicas-to-write")) or 1
    if good is not None and good < wanted:
        state, _message, hint = canary_redis.REFUSED["NOREPLICAS"]
        why = "fewer good replicas are connected than min-replicas-to-write asks for (NOREPLICAS)"
        return Refusal(state, why, hint)
    state, _message, hint = canary_redis.REFUSED["MISCONF"]
    if info.get("aof_last_write_status") == "err":
        return Refusal(state, "it cannot write its append-only file (MISCONF)", hint)
    if info.get("rdb_last_bgsave_status") == "err" and _stops_after_a_failed_save(config):
        return Refusal(state, "its last save to disk failed (MISCONF)", hint)
    if _memory_is_full(info):
        state, _message, hint = canary_redis.REFUSED["OOM"]
        return Refusal(state, "its memory is full and nothing may be removed (OOM)", hint)
    if answers.cluster_state not in (None, "ok"):
        state, _message, hint = canary_redis.REFUSED["CLUSTERDOWN"]
        return Refusal(state, f"the state of its cluster is {answers.cluster_state} (CLUSTERDOWN)", hint)
    if info.get("paused_reason", "none") != "none":
        return Refusal("broken", f"its clients are paused ({info['paused_reason']})", "CLIENT UNPAUSE, or wait.")
    if info.get("master_failover_state", "no-failover") != "no-failover":
        return Refusal("connecting", "it hands its role over to a replica (FAILOVER)", "Wait, or FAILOVER ABORT.")
    return None


def _stops_after_a_failed_save(config: Mapping[str, str]) -> bool:
    """Redis does by default; a login that may not read the settings cannot know better."""
    return config.get("stop-writes-on-bgsave-error", "yes") == "yes" and config.get("save", "3600 1") != ""


def _memory_is_full(info: Mapping[str, str]) -> bool:
    limit, used = integer(info.get("maxmemory")) or 0, integer(info.get("used_memory")) or 0
    if not limit or used - (integer(info.get("mem_not_counted_for_evict")) or 0) <= limit:
        return False
    policy = info.get("maxmemory_policy", "")
    # The volatile policies remove keys that have a time to live, and only these.
    removable = any(
        re.match(r"db\d+\Z", name) and not re.search(r"\bexpires=0\b", value) for name, value in info.items()
    )
    return policy == "noeviction" or (policy.startswith("volatile-") and not removable)


def flavor_of(info: Mapping[str, str]) -> tuple[str, str | None]:
    """Return flavor and version; Valkey also claims to be Redis 7.2.4."""
    if "valkey_version" in info or info.get("server_name") == "valkey":
        return "valkey", info.get("valkey_version") or info.get("redis_version")
    return "redis", info.get("redis_version")


def translate(answers: Answers, login_host: str | None = None, user: str | None = None) -> Snapshot:
    """Return the facts."""
    info = answers.info
    flavor, version = flavor_of(info)
    replica = info.get("role") == "slave"
    offset = integer(info.get("slave_repl_offset" if replica else "master_repl_offset"))
    # Without a backlog its first replica, which takes a copy of everything, gives the primary a new id.
    has_history = replica or integer(info.get("repl_backlog_active")) != 0
    replid = _replid(info.get("master_replid")) if has_history else None
    return Snapshot(
        engine="redis",
        flavor=flavor,
        version=version,
        dialect="redis",
        account=user,
        identity=Identity(
            host=_host(answers, login_host),
            port=integer(info.get("tcp_port")),
            run_id=info.get("run_id"),
            replid=replid,
        ),
        read_only=info.get("slave_read_only") == "1" if replica else False,
        channels=[_channel(answers)] if replica else [],
        replicas=_replicas(info, answers.config),
        writes_refused=None if replica else _writes_refused(answers),
        loading=bool(integer(info.get("loading"))),
        empty=not any(re.match(r"db\d+\Z", name) for name in info) if "run_id" in info else None,
        addresses=_addresses(answers, login_host),
        offset=offset,
        replid2=_replid(info.get("master_replid2")),
        replid2_offset=integer(info.get("second_repl_offset")),
        position={
            "kind": "redis" if has_history else None,
            "value": offset if has_history else None,
            "replid": replid,
            "run_id": info.get("run_id"),
        },
        notes=list(answers.notes),
        raw={"info": dict(info), "role": list(answers.role)},
    )


# --- Why the link stays down ---------------------------------------------------------------------------------------


def _primary_login(client: Client, channel: Channel) -> RedisLogin | None:
    settings = config_get(client, "masterauth", "masteruser", "tls-replication")
    if "masterauth" not in settings or not channel.host or not channel.port:
        return None
    login = RedisLogin(
        host=channel.host,
        port=channel.port,
        username=settings.get("masteruser") or None,
        password=settings["masterauth"] or None,
        connect_timeout=2,
    )
    if settings.get("tls-replication") != "yes":
        return login
    files = config_get(client, "tls-ca-cert-file", "tls-cert-file", "tls-key-file")
    return replace(
        login,
        tls=True,
        ca_cert=files.get("tls-ca-cert-file") or None,
        client_cert=files.get("tls-cert-file") or None,
        client_key=files.get("tls-key-file") or None,
    )


def explain_link(client: Client, snapshot: Snapshot, connect: Callable[[RedisLogin], RedisClient]) -> None:
    """Note why the link is down: log in to the primary as the replica does and keep what it answers.

    The password is read from the server's own settings, used for this one login and never shown.
    """
    for channel in snapshot.channels:
        if snapshot.loading or channel.io.state == "connected" or _is_copying(snapshot):
            continue
        login = _primary_login(client, channel)
        if login is None:
            continue
        with connect(login) as primary:
            error = _replication_error(primary, _refuses_bad_offsets(snapshot))
        if error:
            channel.io.error, channel.io.cause = error.message, error.kind


def _is_copying(snapshot: Snapshot) -> bool:
    """Whether data come; one that is refused says "sync" as well now and then."""
    return bool(integer(snapshot.raw["info"].get("master_sync_read_bytes")))


def _refuses_bad_offsets(snapshot: Snapshot) -> bool:
    """Redis 6 answers a PSYNC with a wrong offset by copying all its data; its primary may be as old as the replica."""
    return snapshot.flavor == "valkey" or (version_info(snapshot.version) or [0])[0] >= 7


def _replication_error(primary: Client, may_try: bool) -> RedisError | None:
    """Return what a primary has against this replica, without replicating anything."""
    try:
        primary.command("PING")
    except RedisError as error:
        # A replication account need not be allowed to PING.
        if error.kind != "noperm":
            return error
    if may_try:
        try:
            # Rights are looked at before the offset.
            primary.command("PSYNC", "?", "none")
        except RedisError as error:
            return None if "not an integer" in error.message else error
    return None


# --- Why there was no answer --------------------------------------------------------------------------------------


def grant(user: str | None) -> str:
    return f"ACL SETUSER {user or 'default'} +ping +info +role"


def is_installed() -> bool:
    """Whether this host has a server of either name."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin"
    return any(shutil.which(name, path=path) for name in ("redis-server", "valkey-server"))


def _tls_hint(message: str) -> str:
    low = message.lower()
    if "trusted" in low or "certificate" in low:
        return "ca_cert: <the file of the CA that signed the server's certificate>, or validate_certs: false"
    if "wrong_version" in low or "wrong version" in low or "record" in low:
        return "tls: disabled (the server speaks no TLS on this port), or login_port: <its tls-port>"
    return "Check tls, ca_cert, client_cert and tls_server_name against what the server wants."


def failure(error: RedisError, absent: bool = False, user: str | None = None) -> Failure:
    """Turn a client error into the verdict's words; absent: this is the server's host and it has no server."""
    if absent:
        return Failure("unreachable", "not_installed", "neither Redis nor Valkey is installed", "Install the server.")
    if error.kind == "unreachable":
        hints = {
            "no_socket": "Start the server, and check login_unix_socket.",
            "refused": "Start the server, and check login_host, login_port and its bind addresses.",
            "timeout": "The server or the network does not answer: check the host, its firewall and its load.",
            "closed": "tls: required where the server speaks TLS on this port; else it is in protected mode or is full.",
        }
        value = error.detail or "failed"
        return Failure("unreachable", value, error.message, hints.get(value))
    if error.kind == "tls":
        return Failure("unreachable", "tls", error.message, _tls_hint(error.message))
    if error.kind == "auth":
        hint = (
            "Give login_password (and login_user)."
            if error.code == "NOAUTH"
            else "Check login_user and login_password against the server's ACL or requirepass."
        )
        return Failure("auth_failed", (error.code or "auth").lower(), error.message, hint)
    if error.kind == "noperm":
        return Failure("auth_failed", "noperm", error.message, grant(user))
    if error.kind == "loading":
        return Failure("syncing", "loading", error.message, "Wait: the server is reading its data from disk.")
    if error.kind == "protocol":
        return Failure(
            "unsupported", "protocol", error.message, "Check login_port and tls: this is no Redis or Valkey."
        )
    return Failure("unsupported", "other", error.message)
