"""Which value a Dockerfile's text has once its ARG and ENV are put in. Knows no image: what a base image sets is unknown."""

from __future__ import annotations

from hardener.syntax.dockerfile.model import Dockerfile, Instruction, Stage
from hardener.syntax.dockerfile.words import BadWord, Unknown, expand


def resolve(dockerfile: Dockerfile, text: str, before: int | None = None, stage: Stage | None = None) -> str | None:
    """`text` with quotes removed and variables put in; None when a value is unknown.

    With a stage, its variables count, as they are set before the instruction with index `before` (default: its end); without
    one, the ARG before the first FROM. An ARG has its default value; without one it is unknown.
    """
    if not any(char in text for char in ("$", "'", '"', dockerfile.escape)):
        return text
    scope = _Scope(dockerfile)
    if "$" in text:
        if stage is None:
            scope.take(dockerfile.instructions[: dockerfile.stages[0].first])
        else:
            scope.enter(stage, stage.last if before is None else before)
    return scope.expand(text)


def left_to_the_base(stage: Stage, user: Instruction) -> bool:
    """Whether a USER has an account with a variable that no ARG or ENV on the way names: only the base image can set it."""
    scope = _Scope(stage.dockerfile)
    scope.enter(stage, user.index)
    return scope.lacks_a_name_of(account_in(user.arguments))


def account_in(user: str) -> str:
    """What a USER says before the colon of its group, without quotes; a colon in braces gives a default (`${UID:-1000}`)."""
    depth = 0
    for at, char in enumerate(user):
        depth += (char == "{") - (char == "}")
        if char == ":" and depth <= 0:
            user = user[:at]
            break
    return user.replace('"', "").replace("'", "")


def base_of(stage: Stage) -> str | None:
    """The image or stage that a stage begins from, with variables put in; None when unknown."""
    return resolve(stage.dockerfile, stage.base)


def parent(stage: Stage) -> Stage | None:
    """The earlier stage that a stage builds upon, or None when its base is an image or unknown."""
    base = base_of(stage)
    return stage_called(stage.dockerfile, base, stage.index) if base else None


def stage_called(dockerfile: Dockerfile, name: str, before: int) -> Stage | None:
    """The last stage of that name among the first `before` ones."""
    name = name.lower()
    for candidate in reversed(dockerfile.stages[:before]):
        if candidate.name == name:
            return candidate
    return None


class _Scope:
    """The variables at one point of a file. A name that is in neither table is unknown."""

    __slots__ = ("_args", "_dockerfile", "_env", "_global", "_lost")

    def __init__(self, dockerfile: Dockerfile) -> None:
        self._dockerfile = dockerfile
        self._global: dict[str, str | None] = {}
        self._args: dict[str, str | None] = {}
        self._env: dict[str, str] = {}
        #: Names that ENV or ARG gives an unknown value.
        self._lost: set[str] = set()

    def enter(self, stage: Stage, before: int) -> None:
        """Take all that is set before an instruction of a stage, in the stages that it builds upon too."""
        head = self._dockerfile.instructions[: self._dockerfile.stages[0].first]
        self.take(head)
        self._global, self._args = self._args, {}
        self._lost = set()
        chain = [stage]
        above = parent(stage)
        while above is not None:
            chain.append(above)
            above = parent(above)
        for member in reversed(chain):
            last = before if member is stage else member.last
            self.take(self._dockerfile.instructions[member.first : last])

    def take(self, instructions: list[Instruction]) -> None:
        """Put in what these instructions set."""
        for item in instructions:
            if item.keyword == "ENV":
                # All of one instruction see the values from before it.
                names = [self.expand(name) for name in item.values[::2]]
                values = [self.expand(value) for value in item.values[1::2]]
                for name, value in zip(names, values, strict=True):
                    self._set_env(name, value)
            elif item.keyword == "ARG":
                for word in item.values:
                    self._set_arg(word)

    def _set_env(self, name: str | None, value: str | None) -> None:
        if name is None:
            return
        self._lost.discard(name)
        if value is None:
            self._env.pop(name, None)
            self._lost.add(name)
        else:
            self._env[name] = value

    def _set_arg(self, word: str) -> None:
        name, equals, text = word.partition("=")
        given = self._dockerfile.arguments
        if equals or name in given:
            value = given[name] if name in given else self.expand(text)
            self._args[name] = value
            if value is None:
                # Not merely without a value: a default of `${NAME:-x}` must not count.
                self._lost.add(name)
        elif name not in self._args:
            self._args[name] = self._global.get(name)

    def expand(self, text: str) -> str | None:
        """The text with variables put in, or None."""
        try:
            return expand(text, self._dockerfile.escape, self._value)
        except (Unknown, BadWord):
            return None

    def lacks_a_name_of(self, text: str) -> bool:
        """Whether the text has a variable that nothing so far has named, even without a value, and is not root's without it."""
        lacking = []

        def value(name: str) -> str:
            if name not in self._args and name not in self._env and name not in self._lost:
                lacking.append(name)
            return self._env.get(name) or self._args.get(name) or ""

        try:
            usual = expand(text, self._dockerfile.escape, value)
        except Unknown:  # what is cut out of a value (`${NAME#x}`)
            return bool(lacking)
        except BadWord:
            return False
        return bool(lacking) and usual not in ("root", "0")

    def _value(self, name: str) -> str | None:
        if name in self._env:
            return self._env[name]
        if name in self._lost or name not in self._args:
            raise Unknown(name)
        return self._args[name]
