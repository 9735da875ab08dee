# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a MySQL or MariaDB server through its own command line client; one process for any number of statements."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable
from xml.parsers import expat

from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.client import (
    SESSION,
    MysqlError,
    MysqlLogin,
    Rows,
)
from ansible_collections.siteops.webcluster.plugins.module_utils._mysql.errors import classify, clean_message
from ansible_collections.siteops.webcluster.plugins.module_utils._record import Record


class RunResult(Record):
    rc: int
    stdout: bytes
    stderr: bytes


# (argv, standard input, environment, seconds) -> result; raises OSError, which TimeoutError is too
Runner = Callable[[list[str], bytes, Mapping[str, str], float], RunResult]
TIMED_OUT = 124


def clean_argv(argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """Return a command that leaves out what our environment has beyond env."""
    unset = [word for name in os.environ if name not in env for word in ("--unset", name)]
    return [*(["env", *unset] if unset else []), *argv]


def module_runner(run_command: Callable[..., tuple[int, bytes, bytes]]) -> Runner:
    """Return a runner on top of AnsibleModule.run_command, which has neither a time limit nor a clean environment."""

    def run(argv: list[str], data: bytes, env: Mapping[str, str], timeout: float) -> RunResult:
        rc, stdout, stderr = run_command(
            clean_argv(["timeout", "--kill-after=5", f"{timeout:g}", *argv], env),
            data=data,
            binary_data=True,
            encoding=None,
            environ_update=dict(env),
            expand_user_and_vars=False,
            handle_exceptions=False,
        )
        if rc == TIMED_OUT:
            raise TimeoutError
        return RunResult(rc, stdout, stderr)

    return run


_ERROR = r"(?ms)^(?:\S*?(?:mysql|mariadb)\S*:\s*)?ERROR (\d+)(?: \(\w+\))?(?: at line (\d+))?[^:]*: (.*)"
END_COLUMN = "siteops_end_of_statement"
END = f"SELECT 1 AS {END_COLUMN}"


def option_value(value: str) -> str:
    """Return value as a quoted value of a client option file."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b"}
    return '"' + "".join(escapes.get(char, char) for char in value) + '"'


_ERROR = r"(?ms)^(?:\S*?(?:mysql|mariadb)\S*:\s*)?ERROR (\d+)(?: \(\w+\))?(?: at line (\d+))?[^:]*: (.*)"


class _XmlReader:
    """Collect the rows of one result set; a document type, the door to entity attacks, is refused."""

    def __init__(self) -> None:
        self.rows: Rows = []
        self._name: str | None = None
        self._null = False
        self._text: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "row":
            self.rows.append({})
        elif tag == "field":
            self._name = attributes.get("name", "")
            self._null = attributes.get("xsi:nil") == "true"
            self._text = []

    def end(self, tag: str) -> None:
        if tag == "field" and self._name is not None:
            if self.rows:
                self.rows[-1][self._name] = None if self._null else "".join(self._text)
            self._name = None

    def data(self, text: str) -> None:
        if self._name is not None:
            self._text.append(text)

    def doctype(self, *_args: object) -> None:
        raise ValueError("document types are not expected")

    def read(self, document: str) -> Rows:
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.data
        parser.StartDoctypeDeclHandler = self.doctype
        parser.Parse(document.encode("utf-8", "replace"), True)
        return self.rows


def parse_xml(output: bytes) -> list[Rows]:
    """Return the rows of each result set in the client's --xml output."""
    text = output.decode("utf-8", "replace")
    # The client copies control characters as they are, XML 1.0 knows none of them.
    text = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", text)
    # Data is escaped, so the declaration can only be the start of the next result set.
    head, *documents = text.split('<?xml version="1.0"?>')
    if head.strip():
        raise MysqlError("other", "the client's output is not the XML that was asked for")
    try:
        return [_XmlReader().read(document.strip()) for document in documents]
    except (expat.ExpatError, ValueError) as error:
        raise MysqlError("other", f"the client's output is not well-formed XML: {error}") from error


def split_results(output: bytes, count: int) -> list[Rows]:
    """Return one row list for each finished statement; the end marks tell statements without a result set apart."""
    results: list[Rows] = []
    rows: Rows = []
    for found in parse_xml(output):
        if found and list(found[0]) == [END_COLUMN]:
            results.append(rows)
            rows = []
        else:
            rows.extend(found)
    return results[:count]


def finished_results(output: bytes, count: int) -> list[Rows]:
    """Return what a client answered before it was ended in the middle of its output."""
    end = output.rfind(b"</resultset>")
    try:
        return split_results(output[: end + len(b"</resultset>")], count) if end >= 0 else []
    except MysqlError:
        return []


class MysqlConnection(ABC):
    """What both ways to run the command line client share."""

    def __init__(self, login: MysqlLogin, timeout: float = 30.0) -> None:
        self.login = login
        self.timeout = timeout

    def _option_file(self) -> str:
        lines = []
        if self.login.config_file:
            lines.append(f"!include {self.login.config_file}")
        lines.append("[client]")
        if self.login.password is not None:
            lines.append(f"password={option_value(self.login.password)}")
        return "\n".join(lines) + "\n"

    def _tls_options(self, local: bool) -> list[str]:
        login = self.login
        if local and login.tls == "auto":
            # Nobody listens there, and setting TLS up costs more than all the rest.
            return ["--loose-ssl-mode=DISABLED", "--loose-skip-ssl"]
        # loose-: MySQL knows ssl-mode, MariaDB ssl and ssl-verify-server-cert; what a client lacks is only a warning.
        if login.tls == "disabled":
            # Without TLS MySQL sends a password only to a server whose public key it may ask for.
            return ["--loose-ssl-mode=DISABLED", "--loose-skip-ssl", "--loose-get-server-public-key"]
        options = [
            f"--ssl-{name}={value}"
            for name, value in (("ca", login.ca_cert), ("cert", login.client_cert), ("key", login.client_key))
            if value
        ]
        if not login.validate_certs:
            options.append("--loose-skip-ssl-verify-server-cert")
        if login.tls == "required" or login.ca_cert:
            verify = login.validate_certs and login.ca_cert
            options.append("--loose-ssl-mode=" + ("VERIFY_IDENTITY" if verify else "REQUIRED"))
            options.append("--loose-ssl")
            if verify:
                options.append("--loose-ssl-verify-server-cert")
        return options

    def _argv(self, program: str, option_file: str | None) -> list[str]:
        login = self.login
        local = not login.host or login.host == "localhost"
        argv = [program]
        if option_file:
            argv.append(f"--defaults-extra-file={option_file}")
        argv += [
            "--xml",
            "--batch",
            "--binary-mode",
            "--no-auto-rehash",
            "--default-character-set=utf8mb4",
            f"--connect-timeout={login.connect_timeout}",
        ]
        if login.user:
            argv.append(f"--user={login.user}")
        if login.unix_socket:
            argv += ["--protocol=socket", f"--socket={login.unix_socket}"]
        elif login.host:
            argv += ["--protocol=tcp", f"--host={login.host}", f"--port={login.port}"]
        return argv + self._tls_options(local or bool(login.unix_socket))

    def _program(self) -> str:
        program = shutil.which("mariadb") or shutil.which("mysql")
        if program is None:
            raise MysqlError(
                "client_missing", "neither the mariadb nor the mysql client is installed", detail="not_installed"
            )
        if self.login.config_file and not Path(self.login.config_file).is_file():
            raise MysqlError("other", f"the client's option file {self.login.config_file} does not exist")
        return program

    def _environment(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("MYSQL_")}
        env["LC_ALL"] = "C"
        if self.login.user or self.login.password is not None or self.login.config_file:
            # A personal ~/.my.cnf is read after our file and would overrule what the caller asked for.
            env["HOME"] = "/nonexistent"
        return env

    def _private_file(self) -> str | None:
        """Write the options that no process list may show; the caller removes the file."""
        if self.login.password is None and not self.login.config_file:
            return None
        handle, path = tempfile.mkstemp(prefix="siteops-", suffix=".cnf")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(self._option_file())
        return path

    def _no_answer(self, seconds: float, results: list[Rows] | None = None) -> MysqlError:
        return MysqlError("unreachable", f"no answer within {seconds:g} seconds", detail="timeout", results=results)

    def _clean(self, message: str, secrets: Sequence[str]) -> str:
        return clean_message(message, (*secrets, self.login.password))

    def _error(self, stderr: str, lines: Sequence[int], results: list[Rows], secrets: Sequence[str]) -> MysqlError:
        found = re.search(_ERROR, stderr)
        if not found:
            text = self._clean(stderr, secrets) or "the client failed without a message"
            return MysqlError("other", text, results=results)
        errno, line, message = int(found.group(1)), found.group(2), found.group(3)
        kind, detail = classify(errno, message)
        index = None
        if line is not None:
            index = max((i for i, first in enumerate(lines) if first <= int(line)), default=None)
        return MysqlError(kind, self._clean(message, secrets), errno, detail, index, results)

    @staticmethod
    def _compose(statements: Sequence[str], line: int) -> tuple[str, list[int]]:
        """Return the client's input and the line on which each statement begins; line: the first one."""
        text, starts = [], []
        for statement in statements:
            body = statement.strip().rstrip(";")
            starts.append(line)
            text.append(f"{body};\n{END};\n")
            line += body.count("\n") + 2
        return "".join(text), starts

    @abstractmethod
    def query(self, statements: Sequence[str], secrets: Sequence[str] = ()) -> list[Rows]:
        """Run the statements in one session and return one row list for each, [] where it has no result set.

        The first error raises MysqlError. secrets: texts inside the statements that no error message may show.
        """

    def try_query(self, statements: Sequence[str]) -> tuple[list[Rows], MysqlError | None]:
        """Run the statements; return the row lists up to the first error, and that error."""
        try:
            return self.query(statements), None
        except MysqlError as error:
            return error.results, error


class MysqlClient(MysqlConnection):
    """One login; each query() is one client process."""

    def __init__(self, login: MysqlLogin, runner: Runner, timeout: float = 30.0) -> None:
        super().__init__(login, timeout)
        self.runner = runner

    def _run(self, data: bytes) -> RunResult:
        program, seconds = self._program(), self.timeout + self.login.connect_timeout
        option_file: str | None = None
        try:
            option_file = self._private_file()
            return self.runner(self._argv(program, option_file), data, self._environment(), seconds)
        except TimeoutError:
            raise self._no_answer(seconds) from None
        except OSError as error:
            raise MysqlError("client_missing", f"{program} cannot be run: {error.strerror}") from None
        finally:
            if option_file:
                Path(option_file).unlink()

    def query(self, statements: Sequence[str], secrets: Sequence[str] = ()) -> list[Rows]:
        text, starts = self._compose(statements, 2)
        done = self._run(f"{SESSION};\n{text}".encode("utf-8", "surrogateescape"))
        if done.rc != 0:
            results = finished_results(done.stdout, len(statements))
            raise self._error(done.stderr.decode("utf-8", "replace"), starts, results, secrets)
        results = split_results(done.stdout, len(statements))
        if len(results) != len(statements):
            raise MysqlError("other", f"the client answered {len(results)} of {len(statements)} statements")
        return results
