"""Operations as edits of the text: everything that is not asked for stays, byte for byte. Refuses rather than guess."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from hardener.source import Edit, newline_at
from hardener.syntax.comments import Reword, reworded, speaks
from hardener.syntax.yaml import flow as brackets
from hardener.syntax.yaml import render
from hardener.syntax.yaml.changes import Change, changes, explicit, nodes_gone
from hardener.syntax.yaml.data import same_data
from hardener.syntax.yaml.habits import gap_of, indentation_in, keys_quoted, layout_of
from hardener.syntax.yaml.layout import (
    column_of,
    comment_behind,
    content_end,
    line_end,
    line_start,
    next_line,
    past_comments,
)
from hardener.syntax.yaml.losses import Anchors, refuse_comments_inside, refuse_to_feed
from hardener.syntax.yaml.operations import CannotEdit, New, Operation
from hardener.syntax.yaml.pieces import Pieces
from hardener.syntax.yaml.scalars import reads_as_string, written
from hardener.syntax.yaml.tree import Mapping, Node, Pair, Scalar, Sequence, Stream, open_ended

if TYPE_CHECKING:
    from collections.abc import Iterable


def edits(stream: Stream, operations: Iterable[Operation | Reword]) -> list[Edit]:
    """The edits that carry out the operations, all of them or none.

    Routes count items as they are in `stream`, whatever other operations do. Raises `CannotEdit` with the reason.
    """
    operations = tuple(operations)
    if any(isinstance(operation, Reword) for operation in operations):
        return _with_rewordings(stream, operations)
    found = changes(stream, operations)  # type: ignore[arg-type]
    if stream.templates:
        raise CannotEdit("the file is a template: it holds an unquoted {{ }}")
    text = stream.text
    other = not text.isascii() and any(character in text for character in "\x85\u2028\u2029")
    if other or text.count("\r") != text.count("\r\n"):
        raise CannotEdit("the file has other line breaks than LF and CRLF")
    writer = _Writer(stream, nodes_gone(found))
    for change in found:
        writer.change(change, _Place(None, None, None))
    return writer.pieces.edits()


def _with_rewordings(stream: Stream, operations: Iterable[Operation | Reword]) -> list[Edit]:
    from hardener.syntax.yaml.comments import speaking_comments

    others = [operation for operation in operations if not isinstance(operation, Reword)]
    words = [operation for operation in operations if isinstance(operation, Reword)]
    return [*(edits(stream, others) if others else ()), *reworded(stream.text, speaking_comments(stream), words)]


class _Place(NamedTuple):
    """Where a node stands: in which collection and in which pair of it, and the pair whose value the collection is."""

    parent: Mapping | Sequence | None
    pair: Pair | None
    holder: Pair | None


class _Writer:
    """Collects the edits of one call."""

    def __init__(self, stream: Stream, gone: set[int]) -> None:
        self.stream = stream
        self.text = stream.text
        self.gone = gone
        self.pieces = Pieces(stream.text)
        self.layout = layout_of(stream)
        self.anchors = Anchors(stream)
        self.only_block: set[int] = set()

    @cached_property
    def style(self) -> render.Style:
        """The habits of the file."""
        return render.style_of(self.layout)

    def change(self, change: Change, place: _Place) -> None:
        """Carry out what happens at a node and inside it."""
        node = change.node
        if change.removed and place.parent is None:
            raise CannotEdit("a whole document would be removed")
        if change.value is not None:
            if not same_data(node, change.value):
                self.replace(node, change.value, place)
            return
        if isinstance(node, Mapping) and self.layout.flow_lists and not self.all_inline(change):
            self.only_block.add(id(node))
        for index, child in change.children.items():
            if not child.removed:
                self.change(child, _Place(node, self.pair(node, index), place.pair))  # type: ignore[arg-type]
        removed = sorted(index for index, child in change.children.items() if child.removed)
        for index in removed:
            start = node.pairs[index].key.outer_start if isinstance(node, Mapping) else None
            self.anchors.refuse_needed(change.children[index].node, start)
        if isinstance(node, (Mapping, Sequence)) and (removed or change.added or change.appended):
            if len(removed) == (len(node.pairs) if isinstance(node, Mapping) else len(node.items)) > 0:
                raise CannotEdit("nothing would be left: remove the whole of it instead")
            if node.flow and node.tag is None and self.better_as_block(node, change, place):
                self.replace(node, _joined(change), place)
            elif node.flow:
                brackets.change(self.text, self.pieces, node, removed, change.added, change.appended, self.style)
            else:
                for index in removed:
                    self.remove(node, index)
                if isinstance(node, Mapping) and change.added:
                    self.add_pairs(node, change.added, place)
                elif isinstance(node, Sequence) and change.appended:
                    self.add_items(node, change.appended, place)

    def all_inline(self, change: Change) -> bool:
        """Whether all new lists in a mapping fit behind their keys, so that none of them must look unlike the others."""
        values = [child.value for child in change.children.values() if child.value is not None]
        return all(render.all_inline(new, self.style) for new in [*change.added.values(), *values])

    def style_in(self, mapping: Mapping, holder: Pair | None) -> render.Style:
        """The habits in a block mapping, itself the value of the pair `holder`."""
        step, offset = indentation_in(self.text, mapping, holder)
        style = render.style_of(self.layout, step, offset, keys_quoted(mapping))
        return style._replace(flow_lists=False) if id(mapping) in self.only_block else style

    def better_as_block(self, node: Mapping | Sequence, change: Change, place: _Place) -> bool:
        """Whether empty brackets should give way to block style: for the sake of comments, or of a line that stays short."""
        if node.end - node.start > 2 or place.parent is None or place.parent.flow:
            return False
        new = _joined(change)
        return new.commented() or column_of(self.text, node.start) + len(render.flow(new, self.style)) > 80

    def pair(self, node: Node, index: int) -> Pair | None:
        """The pair at an index of a mapping that may be passed through; None in a sequence."""
        if not isinstance(node, Mapping):
            return None
        pair = node.pairs[index]
        if explicit(self.text, pair):
            raise CannotEdit("the key is not written as a key and a colon on one line")
        return pair

    # Adding

    def add_pairs(self, mapping: Mapping, added: dict[str, New], place: _Place) -> None:
        """New pairs behind the last one that stays."""
        last = next(pair for pair in reversed(mapping.pairs) if id(pair.value) not in self.gone)
        if explicit(self.text, mapping.pairs[0]) or explicit(self.text, last):
            raise CannotEdit("the mapping has a key that is not written as a key and a colon on one line")
        column = self.own_column(mapping.pairs[0].key.outer_start)
        style = self.style_in(mapping, place.pair)
        lines = [line for key, new in added.items() for line in render.pair_lines(key, new, column, style)]
        if open_ended(self.stream, mapping):
            self.insert_before_last(mapping, lines)
        else:
            self.insert_lines(past_comments(self.text, self.behind(last.value), column), lines)

    def insert_before_last(self, mapping: Mapping, lines: list[str]) -> None:
        """New lines before the last pair of a block mapping, which nothing may follow."""
        text = self.text
        before = [pair for pair in mapping.pairs[:-1] if id(pair.value) not in self.gone]
        if before:
            self.insert_lines(line_end(text, self.behind(before[-1].value)), lines)
            return
        at = line_start(text, mapping.start)
        if text[at : mapping.start].strip(" "):
            raise CannotEdit("a block scalar behind a dash ends the file, which has no final newline")
        while at and text[line_start(text, at - 1) : at].lstrip(" ")[0] == "#":
            at = line_start(text, at - 1)
        if at:
            self.insert_lines(line_end(text, line_start(text, at - 1)), lines)
        else:
            newline = newline_at(text, at)
            self.pieces.insert(at, "".join(line + newline for line in lines))

    def add_items(self, sequence: Sequence, items: list[New], place: _Place) -> None:
        """New items behind the last one that stays."""
        column = self.own_column(sequence.start)
        last = next(item for item in reversed(sequence.items) if id(item) not in self.gone)
        style = brackets.quoted_as_in(sequence, self.style)._replace(gap=gap_of(self.text, sequence) or self.style.gap)
        lines = [line for item in items for line in render.item_lines(item, column, style)]
        # Below dashes in the column of the keys, a comment in that column belongs to the next key.
        shared = place.pair is not None and column_of(self.text, place.pair.key.outer_start) == column
        self.insert_lines(past_comments(self.text, self.behind(last), column + shared), lines)

    def own_column(self, start: int) -> int:
        """The column of a block collection, if only spaces and dashes stand before it."""
        before = self.text[line_start(self.text, start) : start]
        if before.replace("- ", "").strip(" "):
            raise CannotEdit("the first key or item does not begin its line")
        return len(before)

    def behind(self, node: Node) -> int:
        """The end of the last leaf of a value that stays; what follows on its line is blank or a comment."""
        end = content_end(self.text, self.last_leaf(node))
        comment_behind(self.text, end)
        return end

    def last_leaf(self, node: Node) -> Node:
        """The last scalar, alias or flow collection of a value, removed ones left out."""
        while isinstance(node, (Mapping, Sequence)) and not node.flow:
            inside = [pair.value for pair in node.pairs] if isinstance(node, Mapping) else node.items
            node = next(child for child in reversed(inside) if id(child) not in self.gone)
        return node

    def insert_lines(self, at: int, lines: list[str]) -> None:
        """New lines below the line that ends at `at`."""
        newline = newline_at(self.text, at)
        self.pieces.insert(at, "".join(newline + line for line in lines))

    # Replacing

    def replace(self, node: Node, new: New, place: _Place) -> None:
        """A new value in the place of a node; its anchor stays."""
        if node.tag is not None:
            raise CannotEdit(f"the value has the tag {node.tag}")
        self.anchors.refuse_needed(node, node.outer_start + 1)
        if place.parent is None and not (isinstance(node, Scalar) and node.start < node.end and render.inline(new, self.style)):
            raise CannotEdit("the whole document would be replaced")
        if place.parent is not None and place.parent.flow:
            self.replace_in_flow(node, new, place)
            return
        style = self.style._replace(flow_lists=self.style.flow_lists and id(place.parent) not in self.only_block)
        block = isinstance(node, (Mapping, Sequence)) and not node.flow
        end = content_end(self.text, self.last_leaf(node))
        behind = comment_behind(self.text, end)
        start = node.start
        if block or not render.inline(new, style):
            start = self.head_end(node, place)
        refuse_comments_inside(self.text, node, start, end, behind if block else "")
        if render.inline(new, style):
            text = self.similar(node, new)
            blank = line_end(self.text, end)
            if start < node.start or node.start == node.end:
                text = " " + text
                if node.start == node.end and not behind:
                    end = blank
            self.pieces.replace(start, end, text + ("" if behind else self.note(new, start, text, place)))
        elif not self.extend_to_list(node, start, behind, new, place):
            self.replace_by_block(start, end, behind, new, place)

    def note(self, new: New, start: int, text: str, place: _Place) -> str:
        """The comment of a new value that follows `start`; nothing when it had to go above the line, which it made too long."""
        note = render.comment(new)
        row = line_start(self.text, start)
        line = self.text[row:start]
        if not note or len(line) + len(text) + len(note) <= render.WIDTH:
            return note
        indent = line[: len(line) - len(line.lstrip(" "))]
        key = place.pair.key.outer_start if place.pair else -1
        if row + len(indent) != key and not (isinstance(place.parent, Sequence) and line[len(indent) :].strip(" ") == "-"):
            return note
        self.pieces.insert(row, indent + note.lstrip(" ") + newline_at(self.text, row))
        return ""

    def extend_to_list(self, node: Node, head: int, behind: str, new: New, place: _Place) -> bool:
        """A list in the place of a scalar that is its first item: the scalar and its comment stay as they are."""
        items = new.value
        if not (isinstance(items, list) and items and isinstance(node, Scalar) and isinstance(place.parent, Mapping)):
            return False
        text = self.text
        if node.anchor or not same_data(node, items[0]) or "\n" in text[head : node.end] or node.style in ("|", ">"):
            return False
        assert place.pair is not None
        column = self.own_column(place.pair.key.outer_start)
        style = self.style_in(place.parent, place.holder)
        if node.style:
            style = style._replace(force=True, quote=node.style)
        dash = " " * (column + style.offset) + "-".ljust(style.gap)
        self.pieces.replace(head, node.start, self.note(new, head, "", place) + newline_at(text, head) + dash)
        if not behind:
            self.pieces.insert(line_end(text, node.end), render.comment(items[0]))
        rest = [line for item in items[1:] for line in render.item_lines(item, column + style.offset, style)]
        self.insert_lines(past_comments(text, node.end, max(column + style.offset, column + 1)), rest)
        return True

    def replace_by_block(self, start: int, end: int, behind: str, new: New, place: _Place) -> None:
        """A block collection in the place of what stands between a key's colon (or a dash) and `end`."""
        if isinstance(place.parent, Mapping):
            assert place.pair is not None
            column = self.own_column(place.pair.key.outer_start)
            style = self.style_in(place.parent, place.holder)
            lines = render.lines_below(new, column, style)
            inner = column + (style.offset if isinstance(new.value, list) else style.step)
            note = "" if behind else self.note(new, start, "", place)
            if start < end or note:
                self.pieces.replace(start, end, note)
            self.insert_lines(past_comments(self.text, end, max(inner, column + 1)), lines)
            return
        if behind or not isinstance(place.parent, Sequence):
            raise CannotEdit("a comment stands where the new value would begin")
        style = self.style._replace(gap=gap_of(self.text, place.parent) or self.style.gap)
        dash = line_start(self.text, start) + column_of(self.text, place.parent.start)
        lines = render.item_lines(new, dash - line_start(self.text, start), style)
        newline = newline_at(self.text, end)
        if self.text[dash : dash + 1] != "-" or start != dash + 1:
            raise CannotEdit("the item does not begin right behind its dash")
        while lines[0].lstrip(" ")[0] == "#":
            row = line_start(self.text, dash)
            indent = self.text[row:dash].partition("-")[0]
            self.pieces.insert(row, indent + lines.pop(0).lstrip(" ") + newline)
        first = lines[0].lstrip(" ")[1:]
        self.pieces.replace(start, line_end(self.text, end), newline.join([first, *lines[1:]]))

    def replace_in_flow(self, node: Node, new: New, place: _Place) -> None:
        """A new value between brackets."""
        assert place.parent is not None
        refuse_comments_inside(self.text, node, node.start, node.end, "")
        style = brackets.style_in(self.text, place.parent, self.style)
        text = render.flow(new, style) if isinstance(new.value, (list, dict)) else self.similar(node, new, flow=True, style=style)
        if node.start == node.end:
            text = " " + text
        self.pieces.replace(node.start, node.end, text)

    def similar(self, node: Node, new: New, *, flow: bool = False, style: render.Style | None = None) -> str:
        """A value that fits on the line, in the quotes of the scalar that stood there."""
        style = style or self.style
        if isinstance(new.value, (list, dict)):
            return render.flow(new, style)
        old = node.style if isinstance(node, Scalar) else ""
        if isinstance(node, Scalar) and not old and node.start < node.end and reads_as_string(node.value):
            return written(new.value, quote=style.quote, flow=flow)
        if old in ("'", '"'):
            return written(new.value, quote=old, flow=flow, force=True)
        return written(new.value, quote=style.quote, flow=flow, force=style.force)

    def head_end(self, node: Node, place: _Place) -> int:
        """The end of what stands before a value: its colon or dash, and its anchor."""
        text = self.text
        if isinstance(place.parent, Mapping):
            assert place.pair is not None
            head = text.index(":", place.pair.key.end) + 1
        else:
            assert isinstance(place.parent, Sequence)
            head = self.dash(place.parent, node) + 1
        if node.outer_start < node.start or (node.anchor and node.start == node.end):
            between = text[head : node.start]
            if "#" in between:
                raise CannotEdit("a comment stands before the value")
            return head + len(between.rstrip())
        if text[head : node.start].strip():
            raise CannotEdit("a comment stands before the value")
        return head

    def dash(self, sequence: Sequence, item: Node) -> int:
        """The offset of the dash of an item of a block sequence."""
        text = self.text
        if item is sequence.items[0]:
            return sequence.start
        column = column_of(text, sequence.start)
        start = line_start(text, item.outer_start)
        while start > sequence.start:
            if not text[start : start + column].strip(" ") and text[start + column : start + column + 1] == "-":
                return start + column
            start = line_start(text, start - 1)
        raise CannotEdit("the dash of the item was not found")

    # Removing

    def remove(self, parent: Mapping | Sequence, index: int) -> None:
        """The lines of a pair or an item of a block collection."""
        text = self.text
        nodes = [pair.value for pair in parent.pairs] if isinstance(parent, Mapping) else parent.items
        if isinstance(parent, Mapping):
            pair = self.pair(parent, index)
            assert pair is not None
            start = pair.key.outer_start
        else:
            start = self.dash(parent, nodes[index])
        leaf = _last_of_all(nodes[index])
        end = content_end(text, leaf)
        if isinstance(leaf, Scalar) and leaf.style in ("|", ">") and text[end : leaf.end].strip():
            raise CannotEdit("the end of a block scalar is not clear")
        comment_behind(text, end)
        if text[line_start(text, start) : start].strip(" "):
            self.remove_first(parent, index, nodes, start, end)
            return
        begin, behind = line_start(text, start), next_line(text, line_end(text, end))
        before = next((nodes[at] for at in range(index - 1, -1, -1) if id(nodes[at]) not in self.gone), None)
        if before is not None:
            refuse_to_feed(text, self.last_leaf(before), behind, column_of(text, start))
        self.pieces.remove_lines(begin, behind)
        floor = content_end(text, _last_of_all(nodes[index - 1])) if index else 0
        self.remove_silences(begin, floor)

    def remove_silences(self, at: int, floor: int) -> None:
        """The lines above `at`, down from `floor`, that speak to harden of what goes: they would be about the next key."""
        text = self.text
        while at > floor:
            above = line_start(text, at - 1)
            line = text[above:at].strip()
            if above < floor or (line and line[0] != "#"):
                break
            if speaks(line):
                self.pieces.remove_lines(above, at)
            at = above

    def remove_first(self, parent: Mapping | Sequence, index: int, nodes: list[Node], start: int, end: int) -> None:
        """The first pair or item of a collection that begins behind a dash: the next one moves up to it."""
        text = self.text
        if index or id(nodes[1]) in self.gone:
            raise CannotEdit("what would be removed does not begin its line")
        self.own_column(start)
        following = parent.pairs[1].key.outer_start if isinstance(parent, Mapping) else self.dash(parent, nodes[1])
        if isinstance(parent, Mapping):
            self.pair(parent, 1)
        if text[line_end(text, end) : following].strip():
            raise CannotEdit("a comment stands below what would be removed")
        self.pieces.replace(start, following, "")


def _joined(change: Change) -> New:
    """What is added to an empty collection, as one value."""
    new = New({})
    new.value = change.appended if isinstance(change.node, Sequence) else change.added
    return new


def _last_of_all(node: Node) -> Node:
    """The last leaf of a value, whatever is removed from it."""
    while isinstance(node, (Mapping, Sequence)) and not node.flow:
        node = node.pairs[-1].value if isinstance(node, Mapping) else node.items[-1]
    return node
