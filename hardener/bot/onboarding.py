"""The pull request that proposes a configuration, before any other is opened. Knows what that says, and none of the manners.

It is proposed once: its mark names the same fix whatever its text is, so that once closed it stays closed.
"""

from __future__ import annotations

from contextlib import chdir

from hardener.bot.forge import Commit, Forge, Written
from hardener.bot.marks import CONFIGURE, Trailers, digest, files_digest, marked, with_trailers
from hardener.bot.proposal import Proposal, Snapshot
from hardener.config.find import FILE
from hardener.discover import discover
from hardener.first_config import first_config
from hardener.pipeline import Request, examine

TITLE = "Configure harden"
_MESSAGE = f"""{TITLE}

All of it is comments but for what somebody takes up: as it is, the file
changes nothing of what harden finds or proposes."""
_BODY = """\
`harden` reads Compose files, Dockerfiles and manifests, finds what makes containers easy to take over, and proposes repairs \
whose evidence it can show, one {pull} for each project. It was asked to propose some here.

This {pull} adds `{file}`, with every key explained, and what was found here beside the keys that can answer it. **All of it is \
in comments: merged as it is, it changes nothing.** It is the place to say beforehand

- which rules are applied, and which findings are to be let be, with a reason (`ignore`, `silence`);
- what one {pull} is about, how many there may be, and what their branches, titles and labels are (`[pr]`);
- that none are wanted (`[pr]` with `enabled = false`).

While this is open, nothing else is opened. Merge it, and repairs are proposed from the next run on, within the limits of the \
file. Close it, and nothing is proposed here.
"""


def proposal(forge: Forge, snapshot: Snapshot, prefix: str, *, believes: bool) -> Proposal:
    """The pull request for a configuration that fits the files, as `harden init` writes it."""
    with chdir(snapshot.folder):
        found, _ = discover((".",), fetch=snapshot.fetch)
        report, groups = examine(Request(tuple(found), evidence=believes, fetch=snapshot.fetch))
    file = Written(FILE, first_config(report, [before for before, _ in groups], {}).encode(), is_new=True)
    branch = prefix + CONFIGURE
    message = with_trailers(_MESSAGE, Trailers(branch, 1, 1, files_digest(((file.path, file.data),))))
    fixes = digest(CONFIGURE)
    body = marked(_BODY.format(pull=forge.pull_word, file=FILE), branch, fixes, TITLE)
    return Proposal(FILE, branch, TITLE, body, (Commit(message, (file,)),), fixes)
