"""What programs in Ruby do, by their source: what is found, and where the right answer is a doubt."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardener.finding import Strength
from hardener.needs.source.uses import CAPABILITIES, ESCALATION, EVERYTHING, USERS, WRITES, Uses
from tests.programs import uses

DOCKERFILE = 'FROM ruby:3.3\nWORKDIR /app\nCOPY . .\nCMD ["ruby", "app.rb"]\n'


def script(folder: Path, code: str, **environment: str) -> Uses:
    """What a script does."""
    return uses(folder, DOCKERFILE, {"app.rb": code}, environment)


def paths(found: Uses) -> dict[str, str]:
    return {write.path: write.kind for write in found.writes}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("File.write('/data/x', 1)\nFile.read('/y')", {"/data/x": "data"}),
        ("DIR = ENV.fetch('DIR', '/srv')\nFile.open(\"#{DIR}/#{name}\", 'a') { |f| f.puts 1 }", {"/srv": "data"}),
        ("require 'fileutils'\nFileUtils.mkdir_p File.join(__dir__, 'out')", {"/app/out": "data"}),
        ("require 'logger'\nLogger.new($stdout)\nLogger.new('log/a.log')", {"/app/log": "log"}),
        ("# File.write('/x', 1)\nputs 'File.delete(1)'\n=begin\nexec 'x'\n=end\n", {}),
    ],
)
def test_what_is_written(code: str, expected: dict[str, str], tmp_path: Path) -> None:
    found = script(tmp_path, code)
    assert paths(found) == expected
    assert found.doubts == ()


@pytest.mark.parametrize(
    ("code", "about"),
    [
        ("File.write(ARGV[0], 1)", WRITES),
        ("system command", ESCALATION),
        ("x = `#{command} -v`", CAPABILITIES),
        ("eval code", CAPABILITIES),
        ("Process::UID.change_privilege(1)", USERS),
        ("FileUtils.chown 'a', 'b', '/x'", USERS),
        ("require 'nobody_knows'", CAPABILITIES),
    ],
)
def test_where_the_right_answer_is_a_doubt(code: str, about: str, tmp_path: Path) -> None:
    assert script(tmp_path, code).open(about)


def test_ruby_refuses_a_temporary_folder_that_everybody_may_change(tmp_path: Path) -> None:
    found = script(tmp_path, "require 'tempfile'\nTempfile.new('x')\nFile.write('/srv/out', '1')\n")
    assert {write.path: write.refused_by for write in found.writes} == {"/tmp": "Ruby", "/srv/out": ""}


def test_an_application_of_sinatra(tmp_path: Path) -> None:
    files = {
        "config.ru": "require './app'\nrun Sinatra::Application\n",
        "app.rb": "require 'sinatra'\nget('/') { \"it's #{Time.now}\" }\n",
        "Gemfile": "source 'https://rubygems.org'\ngem 'sinatra'\ngem 'puma'\ngroup :test do\n  gem 'nobody'\nend\n",
    }
    command = '["bundle", "exec", "puma", "-p", "8080"]'
    found = uses(tmp_path, DOCKERFILE.replace('["ruby", "app.rb"]', command), files)
    assert found.doubts == ()
    assert {one.number for one in found.listens} == {8080}
    assert found.read.strength == Strength.DOCUMENTED


def test_what_rails_writes(tmp_path: Path) -> None:
    files = {"Gemfile": "gem 'rails'\n", "config/environments/production.rb": "config.active_storage.service = :local\n"}
    dockerfile = DOCKERFILE.replace('["ruby", "app.rb"]', '["bin/rails", "server", "-b", "0.0.0.0"]')
    found = uses(tmp_path, dockerfile, files)
    assert paths(found) == {"/app/log": "log", "/app/tmp": "scratch", "/app/storage": "data"}
    assert {one.number for one in found.listens} == {3000}
    assert "/app/log" not in paths(uses(tmp_path, dockerfile, files, {"RAILS_LOG_TO_STDOUT": "1"}))
    other = DOCKERFILE.replace('["ruby", "app.rb"]', '["bin/rails", "db:migrate"]')
    assert uses(tmp_path, other, files).doubts[0].about == EVERYTHING


@pytest.mark.parametrize(("environment", "port"), [({}, 3000), ({"PORT": "81"}, 81)])
def test_the_port_of_puma_is_in_its_configuration(environment: dict[str, str], port: int, tmp_path: Path) -> None:
    files = {"config.ru": "run 1\n", "config/puma.rb": 'threads 1, 5\nport ENV.fetch("PORT", 3000)\n', "Gemfile": "gem 'puma'\n"}
    dockerfile = DOCKERFILE.replace('["ruby", "app.rb"]', '["puma", "-C", "config/puma.rb"]')
    assert {one.number for one in uses(tmp_path, dockerfile, files, environment).listens} == {port}
