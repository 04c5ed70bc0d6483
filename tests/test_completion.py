"""What the real shells complete, with what `harden --show-completion` tells them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hardener.rules import load

SCRIPTS = str(Path(sys.executable).parent)
BASH = """
eval "$(harden --show-completion bash)"
COMP_WORDS=(harden "$@"); COMP_CWORD=$#
_harden_completion harden
printf '%s\\n' "${COMPREPLY[@]}"
"""
FISH = "harden --show-completion fish | source; complete -C (string join ' ' -- harden $argv)"
#: zsh completes only where it believes to be on a terminal.
ZSH = """
zmodload zsh/zpty
zpty shell "zsh -f -i"
zpty -w shell "PS1='> '; autoload -Uz compinit; compinit -u -D; eval \\"\\$(harden --show-completion zsh)\\"; "
zpty -w shell "bindkey '^I' complete-word"
zpty -w shell "echo rea''dy"
zpty -r -m shell line '*ready*'
zpty -w -n shell "harden ${(j: :)@}"$'\\t'
zpty -r -m shell line "*$WANTED*" && print -r -- $WANTED
zpty -d shell
"""

needs_harden = pytest.mark.skipif(not Path(SCRIPTS, "harden").exists(), reason="`harden` is not installed beside this Python")


def answers(shell: str, script: str, words: str, home: Path, **variables: str) -> list[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    plain = {"bash": ["--norc", "--noprofile"], "fish": ["--no-config"], "zsh": ["-f"]}[shell]
    # fish would take options for its own; the others call a script by the first word.
    arguments = [shell, *plain, "-c", script, "--" if shell == "fish" else shell, *words.split(" ")]
    environment = {"PATH": f"{SCRIPTS}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb", **variables}
    done = subprocess.run(arguments, env=environment, cwd=home, capture_output=True, text=True, timeout=60, check=False)
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if line]


@needs_harden
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("expl", ["explain"]),
        ("explain exc", ["excess-capabilities"]),
        ("explain ", sorted(rule.id for rule in load())),
        ("--select root-user,unlimited-c", ["root-user,unlimited-cpu"]),
        ("--fail-on cri", ["critical"]),
        ("needs --format js", ["json"]),
        ("pr --only root-u", ["root-user"]),
        ("--unsafe", ["--unsafe-fixes"]),
    ],
)
@pytest.mark.parametrize(("shell", "script"), [("bash", BASH), ("fish", FISH)])
def test_a_shell_completes(shell: str, script: str, words: str, expected: list[str], tmp_path: Path) -> None:
    assert sorted(answers(shell, script, words, tmp_path)) == expected


@needs_harden
@pytest.mark.parametrize(
    ("words", "expected"), [("explain exc", "excess-capabilities"), ("--select unlimited-c", "unlimited-cpu")]
)
def test_zsh_completes_as_it_is_typed(words: str, expected: str, tmp_path: Path) -> None:
    assert answers("zsh", ZSH, words, tmp_path, WANTED=expected) == [expected]


@needs_harden
def test_a_shell_completes_files_where_nothing_of_ours_fits(tmp_path: Path) -> None:
    (tmp_path / "stack.yaml").touch()
    assert answers("fish", FISH, "stack", tmp_path) == ["stack.yaml"]
    assert answers("bash", BASH, "stack", tmp_path) == []  # and so bash goes on to files: `complete -o default`


@needs_harden
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_installing_writes_where_the_shell_looks(shell: str, tmp_path: Path) -> None:
    answers(shell, "harden --install-completion; true", "", tmp_path)
    assert any("_HARDEN_COMPLETE" in path.read_text() for path in tmp_path.rglob("*harden*") if path.is_file())
