"""`NamedTuple` for a quick start: as that of `typing`, without its look at every annotation. Knows nothing else.

A class of values is the cheapest there is once it exists, but `typing` compiles the annotation of each field to make it,
which takes three fifths of the time. With as many of them as there are here, that is half a Python start.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:

    class _Maker(type):
        """Turns a class with annotated fields into a named tuple with the same methods."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = namespace["__annotations__"]
            defaults = [namespace.pop(field) for field in fields if field in namespace]
            made = namedtuple(name, fields, defaults=defaults, module=namespace["__module__"])
            for key, value in namespace.items():
                setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Maker):
        """The base of values: tuples whose items have names."""
