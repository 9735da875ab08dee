# Copyright (c) 2026, siteops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records as dataclasses make them, without the code that a dataclass compiles for each class whenever a module starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

T = TypeVar("T")

if TYPE_CHECKING:
    from typing import dataclass_transform
else:

    def dataclass_transform(**_options: Any) -> Callable[[T], T]:
        return lambda decorated: decorated


class _Fresh:
    """Stands for a default that each record gets anew."""

    def __init__(self, factory: Callable[[], Any]) -> None:
        self.factory = factory


def fresh(*, factory: Callable[[], T]) -> T:
    """Return the default of a field that is a list, a dictionary or a record."""
    return cast("T", _Fresh(factory))


@dataclass_transform(field_specifiers=(fresh,))
class Record:
    """Fields are the annotated names of the class, in order; equal records have equal fields."""

    def __init__(self, *args: Any, **values: Any) -> None:
        cls = type(self)
        names = list(cls.__annotations__)
        if len(args) > len(names):
            raise TypeError(f"{cls.__name__} has {len(names)} fields, got {len(args)} values")
        values.update(zip(names, args))
        for name in names:
            if name in values:
                value = values.pop(name)
            elif hasattr(cls, name):
                value = getattr(cls, name)
                value = value.factory() if isinstance(value, _Fresh) else value
            else:
                raise TypeError(f"{cls.__name__} needs {name}")
            self.__dict__[name] = value
        if values:
            raise TypeError(f"{cls.__name__} has no field {next(iter(values))}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *map(repr, self.__dict__.values())))

    def __repr__(self) -> str:
        """Name the fields; a password is nobody's to see."""
        shown = (f"{name}={value!r}" for name, value in self.__dict__.items() if name != "password")
        return f"{type(self).__name__}({', '.join(shown)})"


R = TypeVar("R", bound=Record)


def replace(record: R, **changes: Any) -> R:
    """Return the same record with other values."""
    return type(record)(**{**vars(record), **changes})
