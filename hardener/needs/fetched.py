"""Whether a health check stores what it fetches in its container. Knows two commands, and no rule.

Without an option, `wget` puts the page that it asks for into the folder where it stands. Where that belongs to somebody else, or
the root is read-only, it cannot, and what serves as before is called unhealthy. All that commands write, these two among them,
stands in `hardener/needs/source/commands.toml`; to read it costs more than most runs may.
"""

from __future__ import annotations

from hardener.record import NamedTuple


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


def stores_what_it_fetches(text: str) -> str:
    """The command in a health check that stores what it fetches in a file; empty where none does."""
    if not any(name in text for name in _FETCHERS):
        return ""
    from hardener.syntax import shell

    for command in shell.commands(text):
        # What is given to a shell as one word is a command again.
        words = [piece.strip("$()`\"';") for word in command.words for piece in word.text.split()]
        for at, word in enumerate(words):
            name = word.rpartition("/")[2] if word.startswith("/") else word
            if name in _FETCHERS and _stores(_FETCHERS[name], words[at + 1 :]):
                return name
    return ""


def _stores(fetcher: _Fetcher, words: list[str]) -> bool:
    from hardener.needs.source.options import parse

    found = parse(words, fetcher.files | fetcher.valued)
    if any(value != "-" and not value.startswith("/dev/") for value in found.values(*fetcher.files)):
        return True
    return found.has(*fetcher.stores) if fetcher.stores else not found.has(*fetcher.asks)
