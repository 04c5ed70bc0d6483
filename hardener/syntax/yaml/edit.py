"""Operations as edits of the text: everything that is not asked for stays, byte for byte. Refuses rather than guess."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hardener.source import Edit, newline_at
from hardener.syntax.yaml import flow as brackets
from hardener.syntax.yaml import render
from hardener.syntax.yaml.changes import Change, changes, explicit, nodes_gone
from hardener.syntax.yaml.data import same_data
from hardener.syntax.yaml.layout import (
    Layout,
    column_of,
    comment_behind,
    content_end,
    gap_of,
    keys_quoted,
    line_end,
    line_start,
    next_line,
    past_comments,
    steps_in,
)
from hardener.syntax.yaml.operations import CannotEdit, New, Operation
from hardener.syntax.yaml.pieces import Pieces
from hardener.syntax.yaml.scalars import written
from hardener.syntax.yaml.tree import Mapping, Node, Pair, Scalar, Sequence, Stream


def edits(stream: Stream, operations: Iterable[Operation]) -> list[Edit]:
    """The edits that carry out the operations, all of them or none.

    Routes count items as they are in `stream`, whatever other operations do. Raises `CannotEdit` with the reason.
    """
    found = changes(stream, operations)
    if stream.templates:
        raise CannotEdit("the file is a template: it holds an unquoted {{ }}")
    text = stream.text
    if any(character in text for character in "\x85\u2028\u2029") or text.count("\r") != text.count("\r\n"):
        raise CannotEdit("the file has other line breaks than LF and CRLF")
    writer = _Writer(stream, nodes_gone(found))
    for change in found:
        writer.change(change, _Place(None, None))
    return writer.pieces.edits()


class _Place(NamedTuple):
    """Where a node stands: in which collection and in which pair of it."""

    parent: Mapping | Sequence | None
    pair: Pair | None


class _Writer:
    """Collects the edits of one call."""

    def __init__(self, stream: Stream, gone: set[int]) -> None:
        self.stream = stream
        self.text = stream.text
        self.gone = gone
        self.pieces = Pieces(stream.text)
        self.style = render.style_of(Layout(stream))

    def change(self, change: Change, place: _Place) -> None:
        """Carry out what happens at a node and inside it."""
        node = change.node
        if change.removed and place.parent is None:
            raise CannotEdit("a whole document would be removed")
        if change.value is not None:
            if not same_data(node, change.value):
                self.replace(node, change.value, place)
            return
        for index, child in change.children.items():
            if not child.removed:
                pair = self.pair(node, index)
                self.change(child, _Place(node, pair))  # type: ignore[arg-type]
        removed = sorted(index for index, child in change.children.items() if child.removed)
        for index in removed:
            start = node.pairs[index].key.outer_start if isinstance(node, Mapping) else None
            self.refuse_needed_anchor(change.children[index].node, start)
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
        step, offset = steps_in(self.text, mapping)
        style = self.style._replace(
            step=step or self.style.step,
            offset=self.style.offset if offset is None else offset,
            force_keys=keys_quoted(mapping),
        )
        lines = [line for key, new in added.items() for line in render.pair_lines(key, new, column, style)]
        self.insert_lines(past_comments(self.text, self.behind(last.value), column), lines)

    def add_items(self, sequence: Sequence, items: list[New], place: _Place) -> None:
        """New items behind the last one that stays."""
        column = self.own_column(sequence.start)
        last = next(item for item in reversed(sequence.items) if id(item) not in self.gone)
        styles = {item.style for item in sequence.items if isinstance(item, Scalar)}
        forced = len(styles) == 1 and styles <= {"'", '"'}
        style = self.style._replace(
            gap=gap_of(self.text, sequence) or self.style.gap,
            force=forced,
            quote=styles.pop() if forced else self.style.quote,
        )
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
        self.refuse_needed_anchor(node, node.outer_start + 1)
        if place.parent is None and not (isinstance(node, Scalar) and node.start < node.end and render.inline(new, self.style)):
            raise CannotEdit("the whole document would be replaced")
        if place.parent is not None and place.parent.flow:
            self.replace_in_flow(node, new, place)
            return
        block = isinstance(node, (Mapping, Sequence)) and not node.flow
        end = content_end(self.text, self.last_leaf(node))
        behind = comment_behind(self.text, end)
        start = node.start
        if block or not render.inline(new, self.style):
            start = self.head_end(node, place)
        self.refuse_comments_inside(node, start, end, behind if block else "")
        if render.inline(new, self.style):
            text = self.similar(node, new)
            blank = line_end(self.text, end)
            if start < node.start or node.start == node.end:
                text = " " + text
                if node.start == node.end and not behind:
                    end = blank
            self.pieces.replace(start, end, text + ("" if behind else render.comment(new)))
            return
        self.replace_by_block(start, end, behind, new, place)

    def replace_by_block(self, start: int, end: int, behind: str, new: New, place: _Place) -> None:
        """A block collection in the place of what stands between a key's colon (or a dash) and `end`."""
        style = self.style
        if isinstance(place.parent, Mapping):
            assert place.pair is not None
            column = self.own_column(place.pair.key.outer_start)
            step, offset = steps_in(self.text, place.parent)
            style = style._replace(step=step or style.step, offset=style.offset if offset is None else offset)
            lines = render.lines_below(new, column, style)
            inner = column + (style.offset if isinstance(new.value, list) else style.step)
            note = "" if behind else render.comment(new)
            if start < end or note:
                self.pieces.replace(start, end, note)
            self.insert_lines(past_comments(self.text, end, max(inner, column + 1)), lines)
            return
        if behind or not isinstance(place.parent, Sequence):
            raise CannotEdit("a comment stands where the new value would begin")
        style = style._replace(gap=gap_of(self.text, place.parent) or style.gap)
        dash = line_start(self.text, start) + column_of(self.text, place.parent.start)
        lines = render.item_lines(new, dash - line_start(self.text, start), style)
        newline = newline_at(self.text, end)
        if self.text[dash : dash + 1] != "-" or start != dash + 1:
            raise CannotEdit("the item does not begin right behind its dash")
        first = lines[0].lstrip(" ")[1:]
        self.pieces.replace(start, line_end(self.text, end), newline.join([first, *lines[1:]]))

    def replace_in_flow(self, node: Node, new: New, place: _Place) -> None:
        """A new value between brackets."""
        assert place.parent is not None
        self.refuse_comments_inside(node, node.start, node.end, "")
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
        if isinstance(node, Scalar) and not old and node.start < node.end and isinstance(new.value, str):
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
            starts = [pair.key.outer_start for pair in parent.pairs]
            start = starts[index]
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
            self.refuse_to_feed(self.last_leaf(before), behind, column_of(text, start))
        self.pieces.remove_lines(begin, behind)

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

    def refuse_to_feed(self, leaf: Node, behind: int, column: int) -> None:
        """Refuse where lines behind a removed one would become part of the block scalar before it."""
        text = self.text
        if not isinstance(leaf, Scalar) or leaf.style not in ("|", ">"):
            return
        header = text[leaf.start : line_end(text, leaf.start)].split("#")[0]
        at = behind
        while at < len(text):
            end = line_end(text, at)
            line = text[at:end]
            bare = line.lstrip(" ")
            if bare:
                if bare[0] == "#" and len(line) - len(bare) > column:
                    raise CannotEdit("a comment would become part of the block scalar before it")
                return
            if "+" in header or len(line) > column:
                raise CannotEdit("blank lines would become part of the block scalar before them")
            at = next_line(text, end)
        if "+" in header or (text[-1] != "\n" and "-" not in header):
            raise CannotEdit("the block scalar before it would end the file, and change")

    # Refusing

    def refuse_needed_anchor(self, node: Node, start: int | None = None) -> None:
        """Refuse to take away an anchor between `start` and the end of a node that is used elsewhere."""
        if start is None:
            start = node.outer_start
        for alias in self.stream.aliases:
            inside = start <= alias.target.outer_start < max(node.end, node.outer_start + 1)
            if inside and not start <= alias.start < node.end:
                raise CannotEdit(f"the anchor &{alias.name} in it is used elsewhere")

    def refuse_comments_inside(self, node: Node, start: int, end: int, behind: str) -> None:
        """Refuse to lose a comment that stands inside a value."""
        text = self.text
        if isinstance(node, Scalar):
            lost = node.style in ("|", ">") and "#" in text[start : line_end(text, node.start)]
        else:
            at, lost = start, bool(behind)
            for leaf in _leaves(node):
                lost = lost or "#" in text[at : leaf.outer_start]
                at = leaf.end
                if isinstance(leaf, Scalar) and leaf.style in ("|", ">"):
                    lost = lost or "#" in text[leaf.start : line_end(text, leaf.start)]
            lost = lost or "#" in text[at:end]
        if lost:
            raise CannotEdit("a comment inside the old value would be lost")


def _joined(change: Change) -> New:
    """What is added to an empty collection, as one value."""
    new = New({})
    new.value = change.appended if isinstance(change.node, Sequence) else change.added
    return new


def _leaves(node: Node) -> Iterable[Node]:
    if isinstance(node, Mapping):
        for pair in node.pairs:
            yield from _leaves(pair.key)
            yield from _leaves(pair.value)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _leaves(item)
    else:
        yield node


def _last_of_all(node: Node) -> Node:
    """The last leaf of a value, whatever is removed from it."""
    while isinstance(node, (Mapping, Sequence)) and not node.flow:
        node = node.pairs[-1].value if isinstance(node, Mapping) else node.items[-1]
    return node
