"""Our `NamedTuple` against that of `typing`: whatever one does, the other does."""

from __future__ import annotations

import copy
import pickle
import typing
from collections.abc import Callable

import pytest

from hardener import record


class Ours(record.NamedTuple):
    """A value."""

    name: str
    sizes: tuple[int, ...] = ()
    why: str | None = None

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.sizes)

    def renamed(self, name: str) -> Ours:
        return self._replace(name=name)

    @classmethod
    def named(cls, name: str) -> Ours:
        return cls(name)


class Theirs(typing.NamedTuple):
    """A value."""

    name: str
    sizes: tuple[int, ...] = ()
    why: str | None = None

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.sizes)

    def renamed(self, name: str) -> Theirs:
        return self._replace(name=name)

    @classmethod
    def named(cls, name: str) -> Theirs:
        return cls(name)


@pytest.mark.parametrize(
    "answer",
    [
        lambda kind: kind("a") == ("a", (), None),
        lambda kind: kind("a", why="b")._asdict(),
        lambda kind: kind(sizes=(1, 2), name="a").total,
        lambda kind: tuple(kind.named("a").renamed("b")),
        lambda kind: hash(kind("a")) == hash(kind("a", ())),
        lambda kind: sorted([kind("b"), kind("a", (2,)), kind("a", (1,))])[0].sizes,
        lambda kind: repr(kind("a", (1,))).replace("Ours", "Theirs"),
        lambda kind: (kind.__doc__, kind._fields, kind._field_defaults, kind.__match_args__),
        lambda kind: (kind.__module__, kind.__bases__, kind.total.__doc__),
        lambda kind: kind.__qualname__.replace("Ours", "Theirs"),
        lambda kind: pickle.loads(pickle.dumps(kind("a"))) == kind("a"),
        lambda kind: type(copy.deepcopy(kind("a"))) is kind,
        lambda kind: kind(),
        lambda kind: kind("a", (), None, 4),
        lambda kind: kind("a", colour=1),
        lambda kind: setattr(kind("a"), "name", "b"),
        lambda kind: kind("a").__dict__,
        lambda kind: typing.get_type_hints(kind),
    ],
)
def test_it_is_that_of_typing(answer: Callable[[type], object]) -> None:
    def of(kind: type) -> object:
        try:
            return answer(kind)
        except (TypeError, AttributeError) as error:
            return type(error)

    assert of(Ours) == of(Theirs)


def test_the_names_of_fields_are_checked() -> None:
    with pytest.raises(ValueError, match="underscore"):

        class Hidden(record.NamedTuple):
            _name: str
