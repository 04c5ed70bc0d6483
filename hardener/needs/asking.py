"""Whether a health check does more than ask its service. Knows some commands by name, and no rule.

What it does in a container that lost root, capabilities or a root to write to may fail, and what serves as before is called
unhealthy. Without an option, `wget` puts the page that it asks for into the folder where it stands. Whom `kill` ends may be
another's, once a program has stepped down. `ping` may have a file capability, and does not even start without it. All that
commands do, these among them, stands in `hardener/needs/source/commands.toml`; to read it costs more than most runs may.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hardener.needs.conditions import is_within
from hardener.record import NamedTuple

#: They end a program, which need not be root's.
_KILLERS = frozenset("kill pkill killall killall5".split())
#: They send what takes a capability.
_SENDERS = frozenset("ping ping4 ping6 fping arping traceroute".split())
#: They change files.
_CHANGERS = frozenset("rm rmdir cp mv ln dd truncate install".split())
_ACTORS = _KILLERS | _SENDERS | _CHANGERS
_SHELLS = frozenset("sh bash ash dash eval".split())
#: Behind these, their options and numbers stands a command, or a script that is one.
_LEADS = _SHELLS | frozenset(
    "exec env nohup nice timeout time xargs busybox . source pipefail python python3 node perl php ruby".split()
)
_EXECUTES = ("-exec", "-execdir", "-ok", "-okdir")
#: More is no question, and takes longer to be read than a file may.
_LONGEST = 10_000
_DEEPEST = 5


class _Fetcher(NamedTuple):
    """The options of a command that matter here."""

    #: Whose value is a file that is written, and whose value is something else.
    files: frozenset[str]
    valued: frozenset[str]
    #: With which it stores what it fetches, where it does not always, and with which it does not.
    stores: frozenset[str]
    asks: frozenset[str]


def _options(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The manual pages in Debian 12, and the help of BusyBox 1.36 for its wget.
_FETCHERS = {
    "wget": _Fetcher(
        files=_options("-O --output-document -o --output-file -a --append-output"),
        valued=_options("-t -T -U -w -i -B -A -R -D -l -Q -e -Y --header --post-data --user --password --timeout --tries"),
        stores=_options(""),
        asks=_options("-O --output-document --spider -V --version -h --help"),
    ),
    "curl": _Fetcher(
        files=_options("-o --output -D --dump-header -c --cookie-jar"),
        valued=_options(
            "-A -b -C -d -e -E -F -H -h -K -m -P -Q -r -T -t -u -U -w -X -x -y -Y -z --header --data --user --request"
        ),
        stores=_options("-O --remote-name --remote-name-all"),
        asks=_options(""),
    ),
}


def does_more(text: str, mounted: Collection[str] = ()) -> str:
    """What a health check does beside asking, in words that follow "its health check"; empty where that is all.

    `mounted` are the places of what is not of the image: nobody looks into a program there.
    """
    if len(text) > _LONGEST:
        return "is longer than what is looked through"
    is_named = any(name in text for name in _ACTORS) or any(place in text for place in mounted)
    for path, *_ in _commands(text) if is_named else ():
        name = path.rpartition("/")[2]
        if name in _KILLERS:
            return f"ends what may be another account's (`{name}`)"
        if name in _SENDERS:
            return f"sends what may take a capability (`{name}`)"
        if name in _CHANGERS:
            return f"changes files (`{name}`)"
        if any(is_within(path, place) for place in mounted):
            return f"runs `{path}`, which is mounted and was not looked at"
    fetches = stores_what_it_fetches(text)
    return f"stores what it fetches (`{fetches}`)" if fetches else ""


def stores_what_it_fetches(text: str) -> str:
    """The command in a health check that stores what it fetches in a file; empty where none does."""
    for path, *words in _commands(text) if any(name in text for name in _FETCHERS) else ():
        name = path.rpartition("/")[2]
        if name in _FETCHERS and _stores(_FETCHERS[name], words):
            return name
    return ""


def _commands(text: str, depth: int = 0) -> Iterator[list[str]]:
    """The words of each command, from its name on, whatever starts it; what a shell is given as one word has commands too."""
    for words in _lines(text):
        leads, in_shell = True, False
        for at, word in enumerate(words):
            name = word.rpartition("/")[2]
            variable, equals, _ = word.partition("=")
            if not leads:
                leads = word in _EXECUTES
            elif in_shell and len(word.split()) > 1 and depth < _DEEPEST:
                yield from _commands(word, depth + 1)
                leads = False
            elif name in _LEADS:
                in_shell |= name in _SHELLS
            elif word[:1] not in tuple("-0123456789") and not (equals and variable.isidentifier()):
                yield words[at:]
                leads = False


def _lines(text: str) -> Iterator[list[str]]:
    """The words of each simple command in a health check; without a shell it is one, whatever signs are in it."""
    form, _, rest = text.partition(" ")
    if form == "CMD" and not any(word.rpartition("/")[2] in _SHELLS for word in rest.split()):
        yield rest.split()
        return
    from hardener.syntax import shell

    for command in shell.commands(rest if form in ("CMD", "CMD-SHELL") else text):
        yield [word.text for word in command.words]


def _stores(fetcher: _Fetcher, words: list[str]) -> bool:
    from hardener.needs.source.options import parse

    found = parse(words, fetcher.files | fetcher.valued)
    if any(value != "-" and not value.startswith("/dev/") for value in found.values(*fetcher.files)):
        return True
    return found.has(*fetcher.stores) if fetcher.stores else not found.has(*fetcher.asks)
