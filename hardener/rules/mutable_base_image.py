"""A stage begins from an image without a version, so that what it builds on may change from one build to the next.

Attack: Whoever takes over the image, with its maintainer's password or as its new owner, puts another one under the same
name. Their code is then in the next build, without a change in the repository that anybody could have reviewed.

Background: `FROM node` and `FROM node:latest` mean whatever the registry has under that name today. A build that passed a
review is not the build of tomorrow: a new major version breaks it, and an image that somebody took over gets in without a
change in the repository. Two machines that build the same commit build different things, and nobody can say which base an
old image had.

What may break: A version that is not the one of the last build brings other packages and commands. Once it is written down,
updates no longer come by themselves, those that close holes neither.

What we do: No edit is offered, because which version works is not in the file. A version in the tag
(`node:22.11-bookworm-slim`) keeps out surprises; only a digest (`@sha256:...`) keeps out changes, and something then has to
renew it. An ARG counts by its default. Each chain of stages is named once, where it begins.

Left alone: `scratch`, earlier stages of the same file, and names of which a part is known only to the builder.

Example: no-version
"""

from __future__ import annotations

from collections.abc import Iterator

from hardener.facts.dockerfile import DockerStage
from hardener.finding import Finding, Rule, Severity
from hardener.needs.stage import StageNeeds

ID = "mutable-base-image"


def check(stage: DockerStage, needs: StageNeeds) -> Iterator[Finding]:
    """A stage whose outermost base has no version."""
    if len(stage.chain) > 1:
        return
    image = stage.image
    if image is None or image.digest or image.effective_tag != "latest":
        return
    what = f"`{image}`" if image.tag else f"`{image}` without a tag"
    given = " unless an argument says otherwise" if "$" in stage.stage.base else ""
    yield Finding(
        ID,
        stage.subject,
        stage.place(stage.from_item),
        f"begins from {what}{given}: whatever that is on the day of the build",
        advice=f"name the version that you tested, as in `{image.familiar}:VERSION`, best with its digest",
        key=stage.key,
    )


RULE = Rule(
    id=ID,
    title="A base image without a version",
    severity=Severity.LOW,
    cites=("CIS Docker 4.2", "OWASP Docker 13", "Docker docs: build/building/best-practices"),
    stage=check,
    why="what the image is built on can change without a change in the repository",
)
