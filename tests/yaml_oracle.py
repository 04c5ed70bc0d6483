"""What YAML says, by PyYAML: the second opinion on every text that is edited. Knows no format that is written in it."""

from __future__ import annotations

from typing import Any

import yaml


class Loader(yaml.SafeLoader):
    """PyYAML with Compose's own tags, `=` as the text that it is, and anchors that are defined anew, which PyYAML refuses."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if not isinstance(event, yaml.AliasEvent) and getattr(event, "anchor", None):
            self.anchors.pop(event.anchor, None)
        return super().compose_node(parent, index)


def _contents(loader: Any, node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else loader.construct_scalar(node)


Loader.add_multi_constructor("!", lambda loader, suffix, node: {f"!{suffix}": _contents(loader, node)})
Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))
