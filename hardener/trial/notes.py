"""What is collected while a model is made: what is left out, what is shared, what stands in. Decides nothing."""

from __future__ import annotations

from hardener.trial.host import Look, Names, StandIn, stand_in


class Notes:
    """The lists that grow while a model is made, beside what is the same for all of it."""

    __slots__ = ("allow_socket", "left_out", "look", "names", "shared", "sockets", "stand_ins")

    def __init__(self, names: Names, look: Look, allow_socket: bool) -> None:
        self.names = names
        self.look = look
        self.allow_socket = allow_socket
        #: (service, text) each; an empty service is the whole project.
        self.left_out: list[tuple[str, str]] = []
        self.shared: list[tuple[str, str]] = []
        #: (service, path) each.
        self.sockets: list[tuple[str, str]] = []
        self.stand_ins: list[StandIn] = []

    def leave(self, service: str, text: str) -> None:
        """Note what a service does without in the trial."""
        self.left_out.append((service, text))

    def share(self, service: str, text: str) -> None:
        """Note what a service has of the machine in the trial."""
        self.shared.append((service, text))

    def replace(self, path: str) -> StandIn:
        """An empty file or folder in place of a path of the machine."""
        made = stand_in(path, self.names, self.look)
        self.stand_ins.append(made)
        return made
