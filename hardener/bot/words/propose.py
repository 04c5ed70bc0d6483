"""A bundle becomes a proposal: branch, title, body and commits. Knows no forge, and not what becomes of it."""

from __future__ import annotations

from hardener.bot.marks import branch_of, marked
from hardener.bot.proposal import Bundle, Proposal
from hardener.bot.words.body import body
from hardener.bot.words.look import Look
from hardener.bot.words.messages import commits
from hardener.bot.words.title import title

#: Room for the line that we know a body by again.
_MARK = 400


def propose(bundle: Bundle, look: Look) -> Proposal:
    """The pull request for a bundle. The same bundle gives the same words, whenever and wherever."""
    branch = branch_of(look.settings.branch_prefix, bundle.scope)
    words = title(bundle, look)
    text = body(bundle, look, look.longest_body - _MARK)
    text = marked(text, branch, bundle.fixes, words)
    return Proposal(bundle.scope, branch, words, text, commits(bundle, branch, look), bundle.fixes, bundle.before)
