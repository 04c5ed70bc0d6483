"""What of a base image's profile holds for an image that is built from it: where its own start is kept. Knows no rule."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from hardener.facts.built import BuiltImage
from hardener.facts.container import Container
from hardener.facts.dockerfile import DockerStage, Run
from hardener.needs.conditions import Mount, Situation
from hardener.needs.needs import Needs
from hardener.needs.profile import Profile, find_profile

#: What a RUN may do without changing how the base image's server starts and what it writes.
_HARMLESS = frozenset(
    "apt-get apt apk yum dnf microdnf rm mkdir echo printf true set cd pwd ls test [ find touch curl wget tar unzip gunzip gzip "
    "docker-php-ext-install docker-php-ext-configure docker-php-ext-enable docker-php-source pecl pear phpize a2enmod a2dismod "
    "composer php npm npx yarn pnpm node git pip pip3 make localedef locale-gen dpkg-reconfigure update-ca-certificates "
    "chown chmod useradd adduser groupadd addgroup sha256sum gpg export unset id cat grep awk cut sort head tail".split()
)
#: These change files that they are told: harmless only outside of what the base image starts with.
_CHANGE = frozenset("cp mv ln install tee sed".split())
#: What is started, or starts it, lies here.
_PROGRAMS = frozenset("/ /usr /usr/local /usr/local/bin /usr/local/sbin /usr/bin /usr/sbin /bin /sbin /opt /etc".split())
_STARTERS = frozenset("gosu su-exec setpriv tini dumb-init".split())
_SYSTEMS = tuple("/etc/ /usr/ /bin/ /sbin/ /lib/ /opt/ /docker-entrypoint /entrypoint /var/lib/ /run/ /var/run/".split())


def needs_of_derived(
    image: BuiltImage, container: Container, situation: Situation, profiles: tuple[str, ...]
) -> tuple[Profile, Needs] | None:
    """The base image's profile and what it says for this container; None where there is none, or its start is not kept.

    `situation` is the container's; what the image's instructions set and copy is put into it.
    """
    stage = image.stage
    profile = find_profile(stage.image, profiles) if stage.image else None
    if profile is None or stage.image is None or stage.last("ENTRYPOINT") is not None:
        return None
    last = stage.users[-1].text if stage.users else ""
    if last is None:
        return None
    command = stage.last("CMD")
    words = situation.command
    if words is None and command is not None:
        words = command.values if command.is_json else ("/bin/sh", "-c", command.arguments)
    copied = tuple(Mount(target, "bind", True, text) for target, text in image.files.copied())
    situation = situation._replace(
        user=situation.user or last,
        command=words,
        environment={**stage.variables, **situation.environment},
        copied=copied,
    )
    needs = profile.evaluate(stage.image, situation)
    changed = next(_changes(stage, profile, copied), "")
    if changed and needs.holds:
        needs = Needs(False, changed)
    return profile, needs


def _changes(stage: DockerStage, profile: Profile, copied: tuple[Mount, ...]) -> Iterator[str]:
    """What the instructions change that the profile rests on."""
    for copy in copied:
        name = posixpath.basename(copy.target)
        replaced = ("entrypoint" in name and not name.endswith(".d")) or name in _STARTERS or name in profile.programs
        if replaced or copy.target in _PROGRAMS or posixpath.dirname(copy.target).endswith("entrypoint.d"):
            yield f"what it copies to {copy.target} may take the place of what the base image starts"
    for member, item in stage.items:
        if item.keyword in ("COPY", "ADD") and item.values and stage.resolve(item.values[-1], member, item.index) is None:
            yield f"where line {item.line} copies to"
    for run in stage.commands:
        what = _what_it_changes(run, profile)
        if what:
            yield f"what line {run.item.line} does to {what}"
    for _, item in stage.items:
        if item.keyword == "RUN":
            for script in stage.scripts_of(item):
                for command in script.commands:
                    for redirect in command.redirects:
                        if _is_systems(redirect.target.text, profile):
                            yield f"what line {item.line} writes to {redirect.target.text}"


def _what_it_changes(run: Run, profile: Profile) -> str:
    if run.name in ("chown", "chmod", "usermod", "groupmod"):
        own = [path.path for path in profile.paths]
        if run.name.endswith("mod") and run.name != "chmod":
            return "the accounts of the base image"
        return next((word for word in run.known if any((word.rstrip("/") + "/").startswith(path + "/") for path in own)), "")
    if run.name in _CHANGE:
        return next((word for word in run.known if _is_systems(word, profile)), "")
    return "" if run.name in _HARMLESS or run.name.startswith("-") else f"the image (`{run.name}`)"


def _is_systems(path: str, profile: Profile) -> bool:
    if "$" in path or path.startswith("?"):
        return True
    own = [item.path for item in profile.paths]
    return path.startswith(_SYSTEMS) or any((path.rstrip("/") + "/").startswith(place.rstrip("/") + "/") for place in own)
