"""The man page says what the command line says, and groff has nothing against it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from hardener.cli.options import CHOICE, COMMANDS, OPTIONS
from hardener.site.manual import escaped, manual, prose
from hardener.site.reference import commands

groff = pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed: nobody to read a man page")


def formatted() -> str:
    """The page as groff sets it for a terminal, in plain text, with the words of broken lines joined by a blank."""
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "-P-c", "-rHY=0"], input=manual(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return " ".join(re.sub(r".\x08", "", done.stdout).split())


def test_the_reference_is_the_table_of_options() -> None:
    """What typer was given for each option is what the table says."""
    main, *others = commands()
    found = {parameter.flags[0]: parameter for parameter in main.options}
    assert list(found) == [option.flag for option in OPTIONS]
    for option in OPTIONS:
        parameter = found[option.flag]
        assert (parameter.help, parameter.panel) == (option.help, option.panel)
        assert parameter.metavar == ("|".join(option.choices) if option.kind == CHOICE else option.metavar)
        assert parameter.default == (option.default if isinstance(option.default, str) else "")
    assert [command.name for command in others] == list(COMMANDS)
    assert main.usage == "harden [OPTIONS] [PATHS]"
    assert others[1].usage == "harden explain [OPTIONS] RULE..."


def test_examples_and_exit_codes_are_taken_from_help() -> None:
    tables = {table.title: dict(table.rows) for table in commands()[0].tables}
    assert tables["Exit codes"]["3"] == "a mistake of ours"
    assert tables["Examples"]["harden --write compose.yaml"] == "write them"
    assert tables["Examples"]["harden --diff --stdin-filename compose.yaml - < compose.yaml"] == ""


@groff
def test_groff_has_nothing_against_it() -> None:
    text = formatted()
    for option in OPTIONS:
        assert option.flag in text
        assert " ".join(option.help.replace("`", "").split()) in text
    for command in commands()[1:]:
        assert command.usage in text
        for parameter in command.parameters:
            assert parameter.usage in text
    assert "harden --diff --stdin-filename compose.yaml - < compose.yaml" in text
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"):
        assert heading in text


@groff
@pytest.mark.parametrize("text", [r"C:\new", "-x --long", ".start of a line", "'quote' \"double\" `tick", "~/^home", "a % b"])
def test_text_means_itself(text: str) -> None:
    for made in (rf"\&{escaped(text)}", prose(text)):
        page = f".TH X 1\n.SH S\n{made}\n"
        done = subprocess.run(["groff", "-man", "-ww", "-Tascii", "-P-c"], input=page, capture_output=True, text=True, check=True)
        assert text in done.stdout
        assert done.stderr == ""
