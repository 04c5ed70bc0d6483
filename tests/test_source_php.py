"""What applications in PHP do, by their source: what is found, and where the right answer is a doubt."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardener.needs.source.php import application_uses
from hardener.needs.source.uses import CAPABILITIES, ESCALATION, EVERYTHING, USERS, WRITES, Uses
from tests.programs import program_of, uses

SITE = "/var/www/html"
DOCKERFILE = f'FROM php:8.2-apache\nCOPY html/ {SITE}/\nCMD ["apache2-foreground"]\n'


def site(folder: Path, page: str, dockerfile: str = DOCKERFILE, **files: str) -> Uses:
    """What a site with one page, and perhaps more files, does."""
    contents = {"html/index.php": page, **{name.replace("__", "/").replace("_php", ".php"): text for name, text in files.items()}}
    program = program_of(folder, dockerfile, contents)
    return application_uses(program.files, SITE, {"UP": "/data/up"}, program.at)


def paths(found: Uses) -> dict[str, str]:
    return {write.path: write.kind for write in found.writes}


GUEST_BOOK = """<h1>It's a guest book</h1><?php
session_start();
$_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;
$db = new PDO('mysql:dbname=x;host=' . getenv('HOST'), getenv('USER'), getenv('PASSWORD'));
$db->exec('CREATE TABLE IF NOT EXISTS posts (t TEXT)');
if (isset($_FILES['f'])) move_uploaded_file($_FILES['f']['tmp_name'], 'uploads/' . basename($_FILES['f']['name']));
foreach ($db->query('SELECT t FROM posts') as $r) echo htmlspecialchars($r['t']), "\\n";
?><p>Don't exec("rm") here</p>
"""


def test_a_guest_book_with_uploads(tmp_path: Path) -> None:
    found = site(tmp_path, GUEST_BOOK)
    assert paths(found) == {"/tmp": "scratch", f"{SITE}/uploads": "data"}
    assert found.doubts == ()
    assert not found.capabilities


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<?php file_put_contents(__DIR__ . '/log.txt', 'x', FILE_APPEND);", {f"{SITE}/log.txt": "data"}),
        (
            '<?php $d = getenv(\'UP\'); mkdir("$d/a"); FILE_PUT_CONTENTS("{$d}/b", 1);',
            {"/data/up/a": "data", "/data/up/b": "data"},
        ),
        ("<?php $f = fopen('/data/x', 'r'); $g = fopen('php://output', 'w'); $h = fopen('/data/y', 'ab');", {"/data/y": "data"}),
        ("<?php // unlink('/x');\n# unlink('/y');\n/* unlink('/z') */ echo 'unlink(1)';", {}),
        ("<?php class A { private $dir = '/data/d'; function f($n) { unlink($this->dir . '/' . $n); } }", {"/data/d": "data"}),
        ("<?php define('X', 1); $t = tempnam(sys_get_temp_dir(), 'a');", {"/tmp": "scratch"}),
        ("<?php function copy_all($a) { return $a; } $x->rename($a, $b); copy_all(1);", {}),
    ],
)
def test_what_is_written(page: str, expected: dict[str, str], tmp_path: Path) -> None:
    found = site(tmp_path, page)
    assert paths(found) == expected
    assert found.doubts == ()


@pytest.mark.parametrize(
    ("page", "about"),
    [
        ("<?php file_put_contents($_GET['f'], 'x');", WRITES),
        ("<?php exec($command);", ESCALATION),
        ("<?php $x = `$command`;", CAPABILITIES),
        ("<?php mail('a@b', 's', 't');", ESCALATION),
        ("<?php array_map('unlink', glob('cache/*'));", WRITES),
        ("<?php chown($f, $user);", USERS),
        ("<?php eval($code);", CAPABILITIES),
        ("<?php socket_create(AF_INET, SOCK_RAW, 1);", CAPABILITIES),
        ("<?php /* never closed", CAPABILITIES),
    ],
)
def test_where_the_right_answer_is_a_doubt(page: str, about: str, tmp_path: Path) -> None:
    assert site(tmp_path, page).open(about)


def test_where_sessions_are_is_only_known_of_the_official_image(tmp_path: Path) -> None:
    page = "<?php session_start();"
    assert site(tmp_path, page, DOCKERFILE.replace("php:8.2-apache", "debian:12")).open(WRITES)
    told = DOCKERFILE.replace("COPY", "COPY php.ini /usr/local/etc/php/php.ini\nCOPY", 1)
    (tmp_path / "php.ini").write_text('session.save_path = "/var/sessions"\n')
    assert paths(site(tmp_path, page, told)) == {"/var/sessions": "data"}


def test_libraries_of_composer(tmp_path: Path) -> None:
    composer = '{"require": {"php": ">=8", "ext-pdo": "*", "x/unknown": "1"}, "require-dev": {"phpunit/phpunit": "1"}}'
    assert "x/unknown" in site(tmp_path, "<?php echo 1;", **{"html__composer.json": composer}).open(WRITES)
    laravel = site(tmp_path, "<?php echo 1;", **{"html__composer.json": '{"require": {"laravel/framework": "^11"}}'})
    assert paths(laravel) == {f"{SITE}/storage": "data", f"{SITE}/bootstrap/cache": "cache"}


def test_the_server_of_php(tmp_path: Path) -> None:
    dockerfile = 'FROM php:8.2-cli\nWORKDIR /app\nCOPY . .\nCMD ["php", "-S", "0.0.0.0:8000", "-t", "public"]\n'
    found = uses(tmp_path, dockerfile, {"public/index.php": "<?php touch('/data/x');"})
    assert paths(found) == {"/data/x": "data"}
    assert {one.number for one in found.listens} == {8000}
    assert uses(tmp_path, 'FROM php:8.2-cli\nCMD ["php", "-r", "echo 1;"]\n', {}).doubts[0].about == EVERYTHING


def test_names_that_many_files_have_in_their_functions_take_no_time(tmp_path: Path) -> None:
    """Each of them was looked for in all others, and from there in all others again: it never ended."""
    parts = {f"html__part{n}_php": f"<?php function f{n}() {{ $d = '/data/{n}'; $d = g{n}($d); }}" for n in range(16)}
    found = site(tmp_path, "<?php function f() { unlink($d . '/x'); }", **parts)
    assert WRITES in {about for doubt in found.doubts for about in doubt.about}


def test_a_name_of_one_other_file_is_found(tmp_path: Path) -> None:
    found = site(tmp_path, "<?php require 'b.php'; unlink($d . '/x');", html__b_php="<?php $d = '/data/b';")
    assert paths(found) == {"/data/b": "data"}
