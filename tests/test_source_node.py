"""What programs of Node.js do, by their source: what is found, and where the right answer is a doubt."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardener.needs.source.listing import Listing
from hardener.needs.source.naming import module_of
from hardener.needs.source.node_project import Project
from hardener.needs.source.tokens import DIALECTS, tokens_of
from hardener.needs.source.uses import CAPABILITIES, ESCALATION, EVERYTHING, MEMORY, PORTS, USERS, WRITES, Uses
from tests.programs import program_of, uses

DOCKERFILE = 'FROM node:20-alpine\nWORKDIR /app\nCOPY . .\nCMD ["node", "app.js"]\n'


def app(folder: Path, code: str, dependencies: str = "", files: dict[str, str] | None = None, **environment: str) -> Uses:
    """What an application of one file, and perhaps more, does."""
    manifest = {"name": "app", "dependencies": dict.fromkeys(dependencies.split(), "*")}
    return uses(folder, DOCKERFILE, {"app.js": code, "package.json": json.dumps(manifest), **(files or {})}, environment)


def paths(found: Uses) -> dict[str, str]:
    return {write.path: write.kind for write in found.writes}


def ports(found: Uses) -> set[int]:
    return {listen.number for listen in found.listens}


def is_quiet(found: Uses) -> bool:
    return not found.open(CAPABILITIES, ESCALATION, USERS) and not found.capabilities and not found.escalates


UPLOADS = """
const http = require('http'), fs = require('fs'), path = require('path');
const dir = path.join(__dirname, 'uploads');
http.createServer((req, res) => {
  const f = path.join(dir, path.basename(req.url) || '_');
  if (req.method === 'PUT') {
    const out = fs.createWriteStream(f);
    out.on('error', e => { res.statusCode = 500; res.end(String(e)); });
    req.pipe(out).on('finish', () => { res.statusCode = 201; res.end('stored'); });
  } else {
    fs.readFile(f, (e, d) => { if (e) { res.statusCode = req.url === '/' ? 200 : 404; res.end('node app'); } else res.end(d); });
  }
}).listen(process.env.PORT || 3000);
process.on('SIGTERM', () => process.exit(0));
"""


def test_an_app_that_keeps_uploads_in_one_folder(tmp_path: Path) -> None:
    found = app(tmp_path, UPLOADS)
    assert paths(found) == {"/app/uploads": "data"}
    assert ports(found) == {3000}
    assert not found.doubts
    assert found.memory is not None
    assert is_quiet(found)
    assert found.writes[0].evidence.source == "app.js:7" or found.writes[0].evidence.source.endswith("app.js:7")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("require('fs').writeFileSync('/tmp/last', url)", {"/tmp/last": "scratch"}),
        ("const fs = require('fs'); fs.appendFileSync('/app/access.log', k + '\\n')", {"/app/access.log": "log"}),
        ("import fs from 'node:fs/promises'; await fs.mkdir('data/files', {recursive: true})", {"/app/data/files": "data"}),
        ("import { writeFile as save } from 'fs/promises'; save(`./out/${name}.json`, x)", {"/app/out": "data"}),
        ("const { writeFile: w } = require('fs'); w(require('path').resolve('a', 'b'), x)", {"/app/a/b": "data"}),
        (
            "const util = require('util'), fs = require('fs'); const put = util.promisify(fs.writeFile); put('/data/x', 1)",
            {"/data/x": "data"},
        ),
        ("const fs = require('fs').promises; fs.unlink('/data/a/b')", {"/data/a": "data"}),
        ("const fs = require('fs'); fs.open('/data/a', 'r', cb); fs.openSync('/data/b', 'a')", {"/data/b": "data"}),
        (
            "const os = require('os'), fs = require('fs'); fs.mkdtempSync(require('path').join(os.tmpdir(), 'x-'))",
            {"/tmp": "scratch"},
        ),
        (
            "const fs = require('fs'); let d = 'a'; if (process.env.X) d = 'b'; fs.mkdirSync(d)",
            {"/app/a": "data", "/app/b": "data"},
        ),
        (
            "const fs = require('fs'); const path = require('path'); const D = '/data/d';\n"
            "function f(n) { if (!fs.existsSync(D)) { fs.rmSync(path.join(D, n), { force: true }); } }",
            {"/data/d": "data"},
        ),
        ("const fs = require('fs'); fs.writeFileSync('/dev/null', '')", {}),
        ("// fs.writeFileSync('/x', '')\nconst s = \"fs.writeFileSync('/x')\"", {}),
        (
            "const fs = require('fs'); function f(dir) { return dir } const dir = '/data/d'; fs.mkdirSync(dir)",
            {"/data/d": "data"},
        ),
        ("const fs = require('fs'); fs.createWriteStream(new URL('./x.txt', import.meta.url))", {"/app/x.txt": "data"}),
        (
            "class A { constructor() { this.dir = '/srv/a' } go() { require('fs').writeFileSync(this.dir + '/b', '') } }",
            {"/srv/a/b": "data"},
        ),
    ],
)
def test_what_is_written(code: str, expected: dict[str, str], tmp_path: Path) -> None:
    found = app(tmp_path, code)
    assert paths(found) == expected
    assert not found.doubts


@pytest.mark.parametrize(
    ("code", "about"),
    [
        ("const fs = require('fs'); module.exports = p => fs.writeFileSync(p, '')", WRITES),
        ("const fs = require('fs'); fs.writeFile(req.body.path, x, cb)", WRITES),
        ("const fs = require('fs'); fs[method]('/x')", WRITES),
        ("const fs = require('fs'); store(fs)", WRITES),
        ("const fs = require('fs'); files.forEach(fs.unlinkSync)", WRITES),
        ("const { exec } = require('child_process'); exec(command)", CAPABILITIES),
        ("require('child_process').spawn(process.argv[2], [])", ESCALATION),
        ("eval(code)", CAPABILITIES),
        ("new Function('a', body)", CAPABILITIES),
        ("require(name)", CAPABILITIES),
        ("require('./missing')", CAPABILITIES),
        ("require('left-pad')", CAPABILITIES),
        ("process.dlopen(module, file)", CAPABILITIES),
        ("server.listen(config.port)", PORTS),
        ("const fs = require('fs'); fs.chown(f, uid, gid, cb)", USERS),
        ("process.setuid(name)", USERS),
        ("const cluster = require('cluster'); cluster.fork()", MEMORY),
        ("`never closed", CAPABILITIES),
        ("require('fs').writeFileSync(process.env.FILE, '')", WRITES),
    ],
)
def test_where_the_right_answer_is_a_doubt(code: str, about: str, tmp_path: Path) -> None:
    assert app(tmp_path, code).open(about)


def test_variables_say_paths_and_ports(tmp_path: Path) -> None:
    code = "const {A: d = '/x'} = process.env; require('fs').mkdirSync(process.env.DIR || '/data'); app.listen(process.env.PORT)"
    found = app(tmp_path, code, DIR="/srv/d", PORT="8081")
    assert paths(found) == {"/srv/d": "data"}
    assert ports(found) == {8081}
    assert paths(app(tmp_path, code, PORT="1")) == {"/data": "data"}


def test_a_variable_that_is_not_known_is_named(tmp_path: Path) -> None:
    files = {"app.js": "require('fs').mkdirSync(process.env.DIR)"}
    program = program_of(tmp_path, DOCKERFILE, files)._replace(more_environment=True)
    from hardener.needs.source.reading import uses_of

    assert "$DIR" in uses_of(program).open(WRITES)


def test_what_runs_as_root_only(tmp_path: Path) -> None:
    found = app(tmp_path, "process.setgid('node'); process.setuid('node'); require('fs').chownSync('/data', 1000, 1000)")
    assert {one.name for one in found.capabilities} == {"SETUID", "SETGID", "CHOWN"}
    assert {one.name for one in found.users} == {"node", "1000"}
    assert not found.open(CAPABILITIES, USERS)


EXPRESS = """
const express = require('express'); const app = express();
const { Pool } = require('pg'); const cors = require('cors');
const pool = new Pool({ connectionString: process.env.DATABASE_URL });
app.use(cors()); app.use(express.json()); app.use(express.static('public'));
app.use('/api', require('./routes'));
app.get('/', async (req, res) => res.json((await pool.query('SELECT 1')).rows));
const port = process.env.PORT || 8080;
app.listen(port, () => { const port = server.address().port; console.log(port) });
"""


def test_a_small_web_app_has_no_doubts(tmp_path: Path) -> None:
    routes = "const r = require('express').Router(); r.get('/x', (q, s) => s.send('x')); module.exports = r;"
    found = app(tmp_path, EXPRESS, "express pg cors nodemon left-pad", {"routes/index.js": routes})
    assert found.doubts == ()
    assert found.writes == ()
    assert ports(found) == {8080}
    assert is_quiet(found)
    assert "express" in found.read.claim


def test_a_library_that_is_only_named_counts(tmp_path: Path) -> None:
    code = "const app = require('express')(); app.set('view engine', 'squirrelly'); app.listen(80)"
    assert "squirrelly" in app(tmp_path, code, "express squirrelly").open(WRITES)
    assert not app(tmp_path, code, "express").doubts


@pytest.mark.parametrize(
    ("code", "dependencies", "expected"),
    [
        ("const multer = require('multer'); const up = multer({ dest: 'uploads/' })", "multer", {"/app/uploads": "data"}),
        (
            "const multer = require('multer'); const s = multer.diskStorage({ destination: (q, f, cb) => cb(null, './files'),"
            " filename: (q, f, cb) => cb(null, f.originalname) })",
            "multer",
            {"/app/files": "data", "/tmp": "scratch"},
        ),
        (
            "const multer = require('multer'); multer.diskStorage({ destination(q, f, cb) { cb(null, '/srv/up') } })",
            "multer",
            {"/srv/up": "data", "/tmp": "scratch"},
        ),
        (
            "const winston = require('winston'); const o = { file: { filename: `${__dirname}/logs/app.log` } };"
            " winston.createLogger({ transports: [new winston.transports.File(o.file)] })",
            "winston",
            {"/app/logs": "log"},
        ),
        (
            "const { transports } = require('winston'); new transports.File({ dirname: '/var/log/a', filename: 'b' })",
            "winston",
            {"/var/log/a": "log"},
        ),
        (
            "const D = require('better-sqlite3'); const Database = D; new Database('/data/my.db')",
            "better-sqlite3",
            {"/data": "data", "/tmp": "scratch"},
        ),
        ("const sqlite3 = require('sqlite3').verbose(); new sqlite3.Database(':memory:')", "sqlite3", {"/tmp": "scratch"}),
        ("const morgan = require('morgan'); require('express')().use(morgan('dev'))", "express morgan", {}),
    ],
)
def test_libraries_write_where_they_are_told(code: str, dependencies: str, expected: dict[str, str], tmp_path: Path) -> None:
    found = app(tmp_path, code, dependencies)
    assert paths(found) == expected
    assert not found.open(WRITES)


BUILT = """FROM node:20 AS build
WORKDIR /src
COPY package.json tsconfig.json ./
RUN npm ci
COPY src ./src
RUN npm run build
FROM node:20-slim
WORKDIR /srv
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist ./dist
CMD ["node", "dist/main.js"]
"""
TYPESCRIPT = {
    "package.json": '{"scripts": {"build": "tsc -p ."}, "dependencies": {"express": "4"}}',
    "tsconfig.json": '{"compilerOptions": {"outDir": "dist", /* x */ "baseUrl": ".", "paths": {"@lib/*": ["src/lib/*"]},}}',
    "src/main.ts": "import express from 'express';\nimport { save } from '@lib/save';\nimport type { X } from 'unknown-types';\n"
    "const port: number = Number(process.env.PORT ?? 4000);\nexpress().listen(port);\nsave('x');\n",
    "src/lib/save.ts": "import * as fs from 'fs';\nimport path from 'path';\n"
    "const DIR: string = path.join(__dirname, '..', '..', 'data');\n"
    "export function save(name: string): void { fs.writeFileSync(path.join(DIR, name), '') }\n",
    "src/lib/save.spec.ts": "import jest from 'not-there';",
}


def test_what_a_stage_compiles_is_read_as_its_source(tmp_path: Path) -> None:
    found = uses(tmp_path, BUILT, TYPESCRIPT)
    assert found.doubts == ()
    assert paths(found) == {"/srv/data": "data"}
    assert ports(found) == {4000}


def test_a_bundle_does_not_know_its_folder(tmp_path: Path) -> None:
    bundled = {**TYPESCRIPT, "package.json": '{"scripts": {"build": "webpack"}, "dependencies": {"express": "4"}}'}
    found = uses(tmp_path, BUILT, bundled)
    assert found.open(WRITES)
    assert not found.open(CAPABILITIES, ESCALATION, USERS)


def test_what_nobody_makes_is_unknown(tmp_path: Path) -> None:
    found = uses(tmp_path, 'FROM node:20\nCMD ["node", "/opt/app.js"]\n', {})
    assert found.doubts[0].about == EVERYTHING


@pytest.mark.parametrize(
    ("command", "scripts", "extra"),
    [
        ('["npm", "start"]', {"start": "node app.js"}, {}),
        ('["npm", "run", "serve", "--", "--x"]', {"serve": "NODE_ENV=production node app.js"}, {}),
        ('["npm", "start"]', {"start": "cross-env A=b node ./app"}, {}),
        ('["yarn", "start"]', {"start": "node app.js"}, {"/tmp": "scratch"}),
        ('["npx", "nodemon", "app.js"]', {}, {}),
        ('["node", "."]', {}, {}),
    ],
)
def test_scripts_of_package_json(command: str, scripts: dict[str, str], extra: dict[str, str], tmp_path: Path) -> None:
    files = {
        "package.json": json.dumps({"main": "app.js", "scripts": scripts, "devDependencies": {"nodemon": "3.1.0"}}),
        "app.js": "require('fs').mkdirSync('/data/x'); require('http').createServer().listen(3001)",
    }
    found = uses(tmp_path, f"FROM node:20\nWORKDIR /app\nCOPY . .\nCMD {command}\n", files)
    assert paths(found) == {"/data/x": "data", **extra}
    assert not found.open(CAPABILITIES, WRITES, ESCALATION, USERS)
    assert ports(found) == {3001}


@pytest.mark.parametrize(
    "command", ["npm run nothing", "npm ci", "npx create-x", "react-scripts start", "next dev", "node", "node $X"]
)
def test_commands_that_are_not_known(command: str, tmp_path: Path) -> None:
    words = json.dumps(command.split())
    found = uses(tmp_path, f"FROM node:20\nWORKDIR /app\nCOPY . .\nCMD {words}\n", {"package.json": "{}"})
    assert found.doubts[0].about == EVERYTHING


@pytest.mark.parametrize(("package", "fetches"), [(None, True), ({}, True), ({"dependencies": {"http-server": "14.1.1"}}, False)])
def test_what_npx_may_fetch_is_written_somewhere(package: dict[str, object] | None, fetches: bool, tmp_path: Path) -> None:
    """As in Unleash/unleash, .github/docker-compose.test.yml: on a read-only root it cannot, and does not start."""
    files = {"index.html": "", **({} if package is None else {"package.json": json.dumps(package)})}
    found = uses(tmp_path, 'FROM node:22\nWORKDIR /app\nCOPY . .\nCMD ["npx", "http-server", ".", "-p", "8080"]\n', files)
    assert ("fetches `http-server`" in found.open(WRITES)) is fetches
    assert bool(found.open(WRITES)) is fetches
    assert not found.open(CAPABILITIES, ESCALATION)


def test_options_of_node(tmp_path: Path) -> None:
    dockerfile = DOCKERFILE.replace('"node", ', '"node", "--max-old-space-size=4096", "-r", "./first.js", ')
    found = uses(tmp_path, dockerfile, {"app.js": "1", "first.js": "require('fs').mkdirSync('/data/y')"})
    assert paths(found) == {"/data/y": "data"}
    assert found.memory is not None
    assert found.memory.mib == 4096 * 5 // 4 + 256
    odd = uses(tmp_path, DOCKERFILE.replace('"node", ', '"node", "--cpu-prof", '), {"app.js": "1"})
    assert odd.open(WRITES)


def test_a_program_that_it_runs_is_read(tmp_path: Path) -> None:
    code = "const { spawn } = require('child_process'); spawn('node', ['other.js', file])"
    found = app(tmp_path, code, files={"other.js": "require('fs').mkdirSync('/data/z')"})
    assert paths(found) == {"/data/z": "data"}
    assert [one.name for one in found.runs] == ["node"]
    assert not found.open(CAPABILITIES)


def test_a_file_with_capabilities_is_a_doubt(tmp_path: Path) -> None:
    dockerfile = DOCKERFILE.replace("WORKDIR", "RUN setcap cap_net_bind_service=+ep /usr/local/bin/node\nWORKDIR")
    assert uses(tmp_path, dockerfile, {"app.js": "1"}).open(ESCALATION)


def test_next_keeps_a_cache(tmp_path: Path) -> None:
    files = {
        "package.json": '{"scripts": {"build": "next build", "start": "next start"}, "dependencies": {"next": "1"}}',
        "app/page.tsx": "export default function Page() { return <p>Don't</p> }",
    }
    found = uses(tmp_path, 'FROM node:20\nWORKDIR /app\nCOPY . .\nRUN npm run build\nCMD ["npm", "start"]\n', files)
    assert paths(found) == {"/app/.next/cache": "cache"}
    assert ports(found) == {3000}
    assert not found.open(CAPABILITIES, WRITES)


PIECES = st.sampled_from(
    "require ( ) { } [ ] ' \" ` ${ / /* */ => = , ; : . ?. fs writeFile path.join const function import { } 'fs' \\ \n".split(" ")
)


@given(st.lists(PIECES, max_size=60).map(" ".join), st.sampled_from(sorted(DIALECTS)))
@settings(max_examples=120, deadline=None)
def test_odd_text_is_never_too_much(text: str, language: str) -> None:
    listing = Listing("/app/x", text, language=language)
    assert listing.bindings is not None
    assert all(token.at <= len(text) + 1 for token in tokens_of(text, language)[0])


@given(st.integers(0, len(UPLOADS) + len(EXPRESS)))
@settings(max_examples=30, deadline=None)
def test_truncated_programs_are_never_too_much(end: int) -> None:
    from hardener.facts.image_files import ImageFiles
    from hardener.needs.source.uses import Program, unknown

    program = Program(("node", "x.js"), "/app", {}, False, ImageFiles(None))
    project = Project(program, lambda other: unknown("x"), program.files, "/app")
    listing = project.listings["/app/x.js"] = Listing("/app/x.js", (EXPRESS + UPLOADS)[:end])
    project.loaded(listing)
    project.gather("")


def test_a_condition_gives_no_name_another_meaning(tmp_path: Path) -> None:
    code = "const fs = require('fs'); const d = require('path').dirname('/srv/a/b'); if (!fs.existsSync(d)) { fs.mkdirSync(d) }"
    found = app(tmp_path, code)
    assert paths(found) == {"/srv/a": "data"}
    assert not found.doubts


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("new (require('ws').Server)({ server })", set()),
        ("const W = require('ws'); new W.Server({ port: 9001 })", {9001}),
        ("const grpc = require('@grpc/grpc-js'); s.bindAsync(`[::]:${process.env.P || 50051}`, c, f)", {50051}),
        ("const f = require('fastify')(); f.listen({ port: 3003, host: '0.0.0.0' })", {3003}),
    ],
)
def test_ports_of_libraries(code: str, expected: set[int], tmp_path: Path) -> None:
    found = app(tmp_path, code, "ws @grpc/grpc-js fastify")
    assert ports(found) == expected
    assert not found.open(PORTS)


def test_variables_of_dotenv(tmp_path: Path) -> None:
    code = "require('dotenv').config(); require('fs').mkdirSync(process.env.DIR || 'x'); app.listen(process.env.PORT)"
    files = {".env": "DIR=/data/e # where\nexport PORT='81'\n", ".env.example": "DIR=/no\n"}
    found = app(tmp_path, code, "dotenv", files)
    assert paths(found) == {"/data/e": "data"}
    assert ports(found) == {81}
    assert ports(app(tmp_path, code, "dotenv", files, PORT="82")) == {82}
    files[".env.production"] = "DIR=/other\n"
    assert "$DIR" in app(tmp_path, code, "dotenv", files).open(WRITES)


def test_a_member_of_the_process_counts_under_its_own_name(tmp_path: Path) -> None:
    found = app(tmp_path, "const { setuid: become } = process; become('node')")
    assert [one.name for one in found.users] == ["node"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(["start", "build", "a", "b*"]), inside, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["main", "scripts", "dependencies", "optionalDependencies", "_moduleAliases", "packageManager", "compilerOptions"]
)


COMMANDS = st.sampled_from(['["npm", "start"]', '["node", "."]', '["yarn", "a"]'])


@given(manifest=st.dictionaries(KEYS, JSON, max_size=5) | JSON, command=COMMANDS)
@settings(max_examples=30, deadline=None)
def test_odd_manifests_are_never_too_much(manifest: object, command: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    dockerfile = f"FROM node:20\nWORKDIR /app\nCOPY . .\nCMD {command}\n"
    text = json.dumps(manifest)
    uses(tmp_path_factory.mktemp("odd"), dockerfile, {"package.json": text, "tsconfig.json": text, "index.js": "require('b/x')"})


def test_text_in_which_all_names_stand_for_one_another_is_read_in_time() -> None:
    """Smaller text gives a few letters thousands of meanings, each of which leads to all others: not each way is gone."""
    letters = "abcdefgh"
    chains = "".join(f"function f{i}(){{var {a}={b};{b}={a}}}\n" for i in range(300) for a, b in pairwise(letters))
    listing = Listing("/app/small.js", f"var h = require('fs');\n{chains}")
    started = time.process_time()
    found = {name: {module_of(listing, binding) for binding in listing.bindings[name]} for name in letters}
    assert time.process_time() - started < 10
    assert ("fs", "") in found["h"]
    assert found["g"] == {("fs", "")}
    assert found["a"] == {("", "")}, "seven steps are more than are followed"
