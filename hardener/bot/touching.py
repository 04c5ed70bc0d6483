"""Which steps write side by side, so that git reverts only the later of them alone. Knows lines of text, and no rule.

Three-way merges take two changes for one where not even a line lies between them (xdiff/xmerge.c of git), and to revert a commit
is such a merge: of what it undoes with all that came after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Edges = frozenset[frozenset[str]]

#: More steps than this are not looked at exactly.
_MOST = 48
#: Pairs of equal lines that are weighed for each match: in a few hundred lines, all there are.
_MOST_EFFORT = 100_000


def touching(files: Mapping[str, Sequence[tuple[str, str]]]) -> Edges:
    """The pairs of steps that change the same line or neighbours. For each file: step and text, from the first state on."""
    edges: set[frozenset[str]] = set()
    for states in files.values():
        places = _whose(states)
        for at, here in enumerate(places):
            # From a line to the next one, over the place between them; from such a place only to the line behind it.
            near = here.union(*places[at + 1 : at + 3 if at % 2 else at + 2])
            edges.update(frozenset((one, other)) for one in here for other in near if one != other)
    return frozenset(edges)


def _whose(states: Sequence[tuple[str, str]]) -> list[frozenset[str]]:
    """The steps that had a hand in each line of the last text, at odd places; at even ones, those that took lines away there."""
    lines = states[0][1].splitlines(keepends=True)
    whose: list[frozenset[str]] = [frozenset()] * (2 * len(lines) + 1)
    for step, text in states[1:]:
        later = text.splitlines(keepends=True)
        if later == lines:
            continue
        made: list[frozenset[str]] = [whose[0]]
        for kind, start, end, first, last in _opcodes(lines, later):
            if kind == "equal":
                made += whose[2 * start + 1 : 2 * end + 1]
                continue
            mine = frozenset((step,)).union(*whose[2 * start + 1 : 2 * end])  # with all whose lines it replaces
            if first == last:
                made[-1] = made[-1] | mine | whose[2 * end]
            else:
                made += [mine, frozenset()] * (last - first)
                made[-1] = whose[2 * end]
        lines, whose = later, made
    return whose


def _opcodes(lines: Sequence[str], later: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    """What makes one text of the other, as `difflib` has it; coarser where equal lines are so many that it would not end."""
    from collections import Counter
    from difflib import SequenceMatcher

    often = Counter(later)
    effort = sum(often[line] for line in lines)
    return SequenceMatcher(None, lines, later, autojunk=effort > _MOST_EFFORT).get_opcodes()


def independent(steps: Sequence[str], edges: Edges, wanted: Iterable[str] = ()) -> frozenset[str]:
    """As many steps as there can be of which no two touch, and of those sets one with as many of `wanted` as can be."""
    near = {step: {other for edge in edges if step in edge for other in edge if other != step} for step in steps}
    dear = frozenset(wanted)

    def worth(chosen: frozenset[str]) -> tuple[int, int]:
        return len(chosen), len(chosen & dear)

    def best(left: frozenset[str]) -> frozenset[str]:
        if not left:
            return left
        busiest = max((step for step in steps if step in left), key=lambda step: len(near[step] & left))
        if not near[busiest] & left:
            return left
        without = best(left - {busiest})
        with_it = best(left - {busiest} - near[busiest]) | {busiest}
        return max(without, with_it, key=worth)

    return best(frozenset(steps[:_MOST]))
