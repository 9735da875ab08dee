# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a MySQL or MariaDB server through one command line client process that stays for all questions."""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Callable, Protocol

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    SESSION,
    MysqlError,
    MysqlLogin,
    Rows,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql_client import (
    END_COLUMN,
    MysqlConnection,
    clean_argv,
    finished_results,
    split_results,
)

MAX_OUTPUT = 16 * 1024 * 1024
LEAVE_SECONDS = 1.0


class Process(Protocol):
    """A running client with its pipes."""

    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]

    def end(self, patience: float) -> None:
        """Let it take leave of the server, or kill it after some seconds."""


# (argv, environment) -> the running process; raises OSError
Spawner = Callable[[list[str], Mapping[str, str]], Process]


class ModuleProcess:
    """A process of AnsibleModule.run_command, which holds still in a thread while we talk to it."""

    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]

    def __init__(self, run_command: Callable[..., object], argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._started, self._over = threading.Event(), threading.Event()
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, args=(run_command, argv, env), daemon=True)
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            raise self._error

    def _run(self, run_command: Callable[..., object], argv: Sequence[str], env: Mapping[str, str]) -> None:
        try:
            run_command(
                clean_argv(argv, env),
                # It gives a process a standard input only if there is something to write, and closes it afterwards.
                data=b"\n",
                binary_data=True,
                encoding=None,
                environ_update=dict(env),
                expand_user_and_vars=False,
                handle_exceptions=False,
                before_communicate_callback=self._hold,
            )
        except OSError as error:
            self._error = error
        finally:
            self._started.set()

    def _hold(self, process: Any) -> None:
        self.stdin, self.stdout, self.stderr, self._kill = process.stdin, process.stdout, process.stderr, process.kill
        self._started.set()
        self._over.wait()

    def end(self, patience: float) -> None:
        self._over.set()
        self._thread.join(patience)
        if self._thread.is_alive():
            self._kill()
            self._thread.join()
        # Left open where it was killed, or had gone before it was told to.
        for pipe in (self.stdin, self.stdout, self.stderr):
            with contextlib.suppress(OSError):
                pipe.close()


def module_spawner(run_command: Callable[..., object]) -> Spawner:
    return lambda argv, env: ModuleProcess(run_command, argv, env)


class MysqlSession(MysqlConnection):
    """One login and one client process for all queries; after an error the next query starts a new one."""

    def __init__(self, login: MysqlLogin, spawner: Spawner, timeout: float = 15.0) -> None:
        super().__init__(login, timeout)
        self.spawner = spawner
        self._process: Process | None = None
        self._line = 1
        self._batch = 0

    def close(self) -> None:
        self._end(LEAVE_SECONDS)

    def _end(self, patience: float) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end(patience)

    def _start(self, program: str, option_file: str | None) -> Process:
        argv = [*self._argv(program, option_file), "--unbuffered", "--skip-reconnect"]
        process = self.spawner(argv, self._environment())
        for pipe in (process.stdin, process.stdout, process.stderr):
            os.set_blocking(pipe.fileno(), False)
        self._line = 1
        return process

    def query(self, statements: Sequence[str], secrets: Sequence[str] = ()) -> list[Rows]:
        """As MysqlClient.query(); the session's variables and the connection stay."""
        option_file, fresh = None, self._process is None
        try:
            if self._process is None:
                program = self._program()
                option_file = self._private_file()
                try:
                    self._process = self._start(program, option_file)
                except OSError as error:
                    raise MysqlError("client_missing", f"{program} cannot be run: {error.strerror}") from None
            return self._ask(self._process, statements, secrets, fresh)
        except BaseException:
            # After an error it has ended, or it hangs.
            self._end(0.05)
            raise
        finally:
            # The client has read it before its first answer.
            if option_file:
                Path(option_file).unlink()

    def _ask(self, process: Process, statements: Sequence[str], secrets: Sequence[str], fresh: bool) -> list[Rows]:
        self._batch += 1
        mark = f"{END_COLUMN}_{self._batch}"
        first = f"{SESSION};\n" if fresh else ""
        text, starts = self._compose(statements, self._line + first.count("\n"))
        text = f"{first}{text}SELECT 1 AS {mark};\n"
        self._line += text.count("\n")
        seconds = self.timeout + (self.login.connect_timeout if fresh else 0)
        # Data are escaped, so this can only be the field of the last answer.
        talk = _Talk(process, text.encode("utf-8", "surrogateescape"), f'<field name="{mark}">'.encode())
        ended = talk.hold(seconds)
        if ended == "answered":
            results = split_results(talk.rows(), len(statements))
            if len(results) != len(statements):
                raise MysqlError("other", f"the client answered {len(results)} of {len(statements)} statements")
            return results
        if ended == "too long":
            raise MysqlError("other", f"the client's output is not what was asked for: more than {MAX_OUTPUT} bytes")
        results = finished_results(bytes(talk.output), len(statements))
        if ended == "timeout":
            raise self._no_answer(seconds, results)
        raise self._error(talk.complaint.decode("utf-8", "replace"), starts, results, secrets)


class _Talk:
    """One question to a client process: write it all, read until its answer ends."""

    def __init__(self, process: Process, text: bytes, end: bytes) -> None:
        self.process = process
        self.left = memoryview(text)
        self.end = end
        self.output = bytearray()
        self.complaint = bytearray()
        self._at = -1
        self._searched = 0

    def hold(self, seconds: float) -> str:
        """Return how it ended: answered, timeout, closed or too long."""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdin, selectors.EVENT_WRITE)
            for pipe in (self.process.stdout, self.process.stderr):
                selector.register(pipe, selectors.EVENT_READ)
            readers = 2
            while readers and not self._answered():
                rest = deadline - time.monotonic()
                if rest <= 0:
                    return "timeout"
                if len(self.output) + len(self.complaint) > MAX_OUTPUT:
                    return "too long"
                for key, _events in selector.select(rest):
                    if key.fileobj is self.process.stdin:
                        finished = self._write(key.fd)
                    else:
                        finished = not self._read(key)
                        readers -= finished
                    if finished:
                        selector.unregister(key.fileobj)
        return "answered" if self._answered() else "closed"

    def _write(self, handle: int) -> bool:
        try:
            self.left = self.left[os.write(handle, self.left) :]
        except BrokenPipeError:
            self.left = self.left[:0]
        return not self.left

    def _read(self, key: selectors.SelectorKey) -> bool:
        data = os.read(key.fd, 65536)
        (self.output if key.fileobj is self.process.stdout else self.complaint).extend(data)
        return bool(data)

    def _answered(self) -> bool:
        if self._at < 0:
            self._at = self.output.find(self.end, self._searched)
            self._searched = max(0, len(self.output) - len(self.end))
        return self._at >= 0 and self.output.find(b"</resultset>", self._at) >= 0

    def rows(self) -> bytes:
        """Return the answer without its last result set, the end mark."""
        return bytes(self.output[: self._at]).rpartition(b"<?xml")[0]
