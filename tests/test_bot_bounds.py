"""What a hostile forge, or a hostile tree at a good one, may have the bot hold: not more than there is reason for."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator

import pytest
from failing_proxy import FailingProxy

from hardener.bot.forge import Forge, ForgeError
from hardener.bot.forges import bounded
from hardener.bot.forges.gitea import Gitea
from hardener.bot.forges.github import GitHub
from hardener.bot.forges.gitlab import GitLab

FORGES: dict[str, Callable[[str], Forge]] = {
    "github": lambda url: GitHub("o/r", "secret", url),
    "gitlab": lambda url: GitLab("o/r", "secret", address=url),
    "gitea": lambda url: Gitea(url, "o/r", "secret", pauses=()),
}


@pytest.fixture
def proxy() -> Iterator[FailingProxy]:
    with FailingProxy() as proxy:
        yield proxy


@pytest.mark.parametrize("forge", FORGES)
def test_an_answer_that_unpacks_without_end_is_not_unpacked(
    forge: str, proxy: FailingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MOST", 3 << 20)
    packed = gzip.compress(b'"' + b"a" * (64 << 20) + b'"', 1)
    proxy.on("GET", ".*", body=packed, headers={"Content-Encoding": "gzip"})
    with pytest.raises(ForgeError, match="more than 3 MiB"):
        FORGES[forge](proxy.url).repository()
