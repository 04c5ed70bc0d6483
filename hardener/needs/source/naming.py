"""Which module, or member of one, a name in source text stands for. Knows no library."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from hardener.needs.source.listing import Binding, Listing
from hardener.needs.source.tokens import TEXT

#: Words before an expression that do not change which module it is.
PREFIXES = frozenset("new await typeof void lazy".split())


def dotted(listing: Listing, names: Sequence[str], at: int = -1) -> str:
    """A dotted name, with the module put in that its first name stands for."""
    for binding in listing.bindings.get(names[0], ()) if at < 0 else listing.bound(names[0], at):
        module, member = module_of(listing, binding)
        if module:
            return ".".join(filter(None, (module, member, *names[1:])))
    return ".".join(names)


def module_of(listing: Listing, binding: Binding, depth: int = 0) -> tuple[str, str]:
    """The module, and its member, that a binding stands for; empty for anything else."""
    if binding.kind == "import":
        return binding.module.removeprefix("node:"), binding.member
    if binding.kind not in ("value", "member") or depth > 3:
        return "", ""
    at = binding.at
    while listing.name(at) in PREFIXES or listing.is_sign(at, "("):
        at += 1
    if listing.name(at) in ("require", "import") and listing.is_sign(at + 1, "("):
        argument = listing.tokens[at + 2] if at + 2 < len(listing.tokens) else None
        if argument is not None and argument.kind == TEXT:
            rest, at = [], at + 4
            while listing.is_sign(at, ".", ")") and (listing.name(at + 1) or listing.is_sign(at, ")")):
                if listing.name(at + 1) and listing.is_sign(at, "."):
                    if listing.is_sign(at + 2, "("):
                        return "", ""
                    rest.append(listing.name(at + 1))
                    at += 2
                else:
                    at += 1
            if listing.is_sign(at, "("):
                return "", ""
            return argument.text.removeprefix("node:"), ".".join(filter(None, (*rest, binding.member)))
        return "", ""
    first = listing.name(at)
    if first and first not in listing.bindings and binding.member and at + 1 >= listing.expression_end(binding.at):
        # `const { setuid } = process`: a member of what is there without being loaded.
        return first, binding.member
    if first and first in listing.bindings and not listing.is_sign(at + 1, "("):
        rest = []
        while listing.is_sign(at + 1, ".") and listing.name(at + 2):
            rest.append(listing.name(at + 2))
            at += 2
        if listing.is_sign(at + 1, "(") or at + 1 < listing.expression_end(binding.at):
            return "", ""
        for other, module, member in _modules(listing, first, depth + 1):
            if other != binding:
                return module, ".".join(filter(None, (member, *rest, binding.member)))
    return "", ""


def _modules(listing: Listing, name: str, depth: int) -> tuple[tuple[Binding, str, str], ...]:
    """The first two bindings of a name that stand for modules: two, since one may be what is asked about.

    Kept for each name: in text that was made smaller thousands of bindings share a few names, and each may lead to all others.
    """
    kept = listing.modules.get((name, depth))
    if kept is None:
        found = ((binding, *module_of(listing, binding, depth)) for binding in dict.fromkeys(listing.bindings[name]))
        kept = listing.modules[name, depth] = tuple(islice((entry for entry in found if entry[1]), 2))
    return kept
