"""Programs that start another as a different account: gosu, su, setpriv and their kin. Knows no container and no rule."""

from __future__ import annotations

from collections.abc import Sequence

from hardener.finding import Evidence, Strength
from hardener.needs.source.options import parse
from hardener.needs.source.places import place
from hardener.needs.source.uses import CAPABILITIES, ESCALATION, USERS, Capability, Doubt, Named, Program, Read, Uses, merged
from hardener.record import NamedTuple

#: `NAME ACCOUNT COMMAND...`
_PLAIN = frozenset(("gosu", "su-exec", "setuidgid", "s6-setuidgid", "ysu", "pysu"))
STEP_DOWNS = _PLAIN | {"su", "runuser", "setpriv", "chpst", "s6-applyuidgid", "sudo", "doas", "start-stop-daemon"}
#: They wait for the program as root, and hand signals on to it; with PAM they also write to the audit log.
_STAYS = frozenset(("su", "runuser", "sudo"))
_WHY = {
    "AUDIT_WRITE": "PAM writes to the audit log",
    "KILL": "hands signals on to another user's program",
    "SETPCAP": "changes capability sets",
}
_SUDO = frozenset("-u -g -C -D -h -p -R -r -t -T -U --user --group --chdir --host --prompt --chroot --close-from".split())
_SU = frozenset(
    "-c -s -g -G -w --command --shell --group --supp-group --whitelist-environment --session-command -u --user".split()
)
_SETPRIV = frozenset(
    "--reuid --regid --ruid --euid --rgid --egid --groups --inh-caps --ambient-caps --bounding-set --securebits --pdeathsig "
    "--selinux-label --apparmor-profile".split()
)
_CHPST = frozenset("-u -U -e -/ -n -l -L -m -d -o -p -f -c -r -t -b -C".split())
_DAEMON = frozenset(
    "-x --exec -p --pidfile -u --user -n --name -c --chuid -g --group -s --signal -a --startas -d --chdir -r --chroot "
    "-N --nicelevel -P --procsched -I --iosched -k --umask -R --retry -O --output -e --env -1 --stdout -2 --stderr".split()
)
_ROOT = frozenset(("root", "0", ""))


class _Step(NamedTuple):
    """What is run, as which account: None for one that is not named, so that it stays."""

    account: str | None
    words: tuple[str, ...]
    #: Whether it begins in the account's home.
    login: bool = False
    capabilities: tuple[str, ...] = ()


def stepped(program: Program, read: Read) -> Uses:
    """What such a program does, and the one that it starts. The started one has no capability unless it is root's."""
    name = program.name
    step = _step(name, program.words[1:])
    account = step.account
    evidence = Evidence(f"`{name}` becomes {account}", program.at, Strength.READ)
    inner: list[Uses] = []
    if step.words:
        environment = dict(program.environment) | {"HOME": None}
        workdir = "/$HOME" if step.login else program.workdir
        inner.append(read(program._replace(words=step.words, environment=environment, workdir=workdir)))
    if account is None:
        changes: tuple[str, ...] = ()
    else:
        changes = ("SETUID", "SETGID", *(("AUDIT_WRITE", "KILL") if name in _STAYS else ()))
        if account not in _ROOT and "$" not in account:
            inner = [unprivileged(uses) for uses in inner]
    capabilities = tuple(
        Capability(change, _WHY.get(change, f"becomes {account}"), evidence) for change in (*changes, *step.capabilities)
    )
    doubts: tuple[Doubt, ...] = ()
    users: tuple[Named, ...] = ()
    if account and "$" in account:
        doubts = (Doubt(frozenset((USERS,)), f"which account `{account}` is, that {place(program)} becomes"),)
    elif account is not None and account.partition(":")[0] not in _ROOT:
        users = (Named(number_of(account, program), evidence),)
    escalates = (Named(name, evidence),) if name in ("sudo", "doas") else ()
    own = Uses(
        evidence,
        capabilities=capabilities,
        escalates=escalates,
        runs=(Named(name, evidence),),
        users=users,
        doubts=doubts,
        memory=inner[0].memory if inner else None,
    )
    claim = evidence.claim + "".join(f"; {uses.read.claim}" for uses in inner)
    weakest = min((uses.read.strength for uses in inner), default=Strength.READ)
    return merged(Evidence(claim, program.at, min(weakest, Strength.READ)), (own, *inner))


def number_of(account: str, program: Program) -> str:
    """The number of an account where the image's Dockerfile gives one, with a group that is named beside it left out."""
    name, _, group = account.partition(":")
    return account if group or name not in program.accounts else program.accounts[name]


def unprivileged(uses: Uses) -> Uses:
    """What a program does that has no capability: set-uid programs and file capabilities are all that is left of the question."""
    doubts = []
    for doubt in uses.doubts:
        about = doubt.about if ESCALATION in doubt.about else doubt.about - {CAPABILITIES}
        if about:
            doubts.append(doubt._replace(about=about))
    return uses._replace(capabilities=(), doubts=tuple(doubts))


def _step(name: str, words: Sequence[str]) -> _Step:
    if name in _PLAIN:
        found = parse(words, (), leading=True)
        return _Step(found.operands[0] if found.operands else None, found.operands[1:])
    if name in ("su", "runuser"):
        return _su(name, words)
    if name in ("sudo", "doas"):
        found = parse(words, _SUDO, leading=True)
        account = next(iter(found.values("-u", "--user")), "root")
        rest = list(found.operands)
        while rest and "=" in rest[0]:
            rest.pop(0)
        if len(rest) == 1 and found.has("-s", "-i", "--shell", "--login"):
            rest = ["sh", "-c", *rest]
        return _Step(account, tuple(rest), found.has("-i", "--login"))
    if name == "setpriv":
        found = parse(words, _SETPRIV, leading=True)
        user = next(iter(found.values("--reuid", "--ruid", "--euid")), None)
        group = next(iter(found.values("--regid", "--rgid", "--egid")), None)
        sets = ("SETPCAP",) if found.has("--bounding-set", "--inh-caps", "--ambient-caps") else ()
        changes = user or (f":{group}" if group or found.has("--groups", "--clear-groups", "--init-groups") else None)
        both = f"{user}:{group}" if user and group and user != group else changes
        return _Step(both, found.operands, capabilities=sets)
    if name == "chpst":
        found = parse(words, _CHPST, leading=True)
        roots = ("SYS_CHROOT",) if found.has("-/") else ()
        return _Step(next(iter(found.values("-u")), None), found.operands, capabilities=roots)
    if name == "s6-applyuidgid":
        found = parse(words, frozenset(("-u", "-g", "-G")), leading=True)
        return _Step(next(iter(found.values("-u")), "$UID"), found.operands)
    found = parse(words, _DAEMON)
    program = next(iter(found.values("-a", "--startas")), "") or next(iter(found.values("-x", "--exec")), "")
    arguments = tuple(words[list(words).index("--") + 1 :]) if "--" in words else ()
    return _Step(next(iter(found.values("-c", "--chuid")), None), (program, *arguments) if program else ())


def _su(name: str, words: Sequence[str]) -> _Step:
    found = parse(words, _SU)
    named = found.values("-u", "--user") if name == "runuser" else ()
    if named:
        return _Step(named[0], found.operands if "--" in words else parse(words, _SU, leading=True).operands)
    operands = [word for word in found.operands if word != "-"]
    account = operands[0] if operands else "root"
    shell = next(iter(found.values("-s", "--shell")), "sh")
    command = next(iter(found.values("-c", "--command", "--session-command")), None)
    rest = (shell, "-c", command, *operands[1:]) if command is not None else (shell, *operands[1:])
    return _Step(account, rest, "-" in found.operands or found.has("-l", "--login"))
