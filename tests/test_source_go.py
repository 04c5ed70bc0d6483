"""What programs in Go do, by the sources that a stage builds: what is found, and where the right answer is a doubt."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hardener.needs.source.listing import Binding, Listing
from hardener.needs.source.uses import CAPABILITIES, ESCALATION, EVERYTHING, MEMORY, PORTS, USERS, WRITES, Uses
from tests.programs import uses

DOCKERFILE = """FROM golang:1.22 AS build
WORKDIR /src
COPY go.mod go.sum* ./
COPY . .
RUN CGO_ENABLED=0 go build -o /bin/server ./cmd/server
FROM scratch
COPY --from=build /bin/server /server
ENTRYPOINT ["/server"]
"""


def server(folder: Path, body: str, imports: str = "os net/http", modules: str = "", **environment: str) -> Uses:
    """What a program with this main function does."""
    lines = "".join(f'import "{name}"\n' for name in imports.split())
    required = "".join(f"require {name} v1.0.0\n" for name in modules.split())
    files = {
        "go.mod": f"module example.com/app\n{required}",
        "cmd/server/main.go": f"package main\n{lines}\nfunc main() {{\n{body}\n}}\n",
    }
    return uses(folder, DOCKERFILE, files, environment)


def paths(found: Uses) -> dict[str, str]:
    return {write.path: write.kind for write in found.writes}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('os.WriteFile("/data/x", b, 0644)', {"/data/x": "data"}),
        (
            'dir := os.Getenv("DIR")\nif dir == "" { dir = "/var/lib/app" }\nos.MkdirAll(dir, 0755)',
            {"/var/lib/app": "data", "/d": "data"},
        ),
        ('f, err := os.OpenFile(filepath.Join("/data", name), os.O_CREATE|os.O_WRONLY, 0600)', {"/data": "data"}),
        ('os.OpenFile("/etc/x", os.O_RDONLY, 0)\nos.Open("/etc/y")\nos.ReadFile("/z")', {}),
        ('d, _ := os.MkdirTemp("", "x")\nos.WriteFile(filepath.Join(d, "y"), b, 0600)', {"/tmp": "scratch"}),
        ('os.Create(fmt.Sprintf("%s/%s.txt", "/out", name))', {"/out": "data"}),
        ("r.ParseMultipartForm(1 << 20)", {"/tmp": "scratch"}),
    ],
)
def test_what_is_written(body: str, expected: dict[str, str], tmp_path: Path) -> None:
    found = server(tmp_path, body, "os path/filepath fmt", DIR="/d")
    assert paths(found) == expected
    assert found.doubts == ()
    assert found.memory is not None
    assert found.memory.evidence.claim == found.read.claim == "1 source file in Go"


@pytest.mark.parametrize(
    ("body", "known"),
    [
        ("mb, _ := strconv.Atoi(q)\nb := make([]byte, mb*1024*1024)", False),
        ("keep = append(keep, make([]byte, int64(size) << 20))", False),
        ("b := make([]byte, 0, 4*1024*1024)", True),
        ("b := make([]byte, int64(1 << 20))", True),
        ("b := make([]byte, n)\nr.ParseMultipartForm(1024 * 1024)", True),
    ],
)
def test_memory_that_is_asked_for_by_the_mebibyte_is_not_bounded(body: str, known: bool, tmp_path: Path) -> None:
    """knative/docs, docs/versioned/serving/autoscaling/autoscale-go/autoscale.go at de125bf: `?bloat=600` takes 600 MiB."""
    found = server(tmp_path, body, "strconv")
    assert (found.memory is not None) is known
    assert bool(found.open(MEMORY)) is not known


@pytest.mark.parametrize(
    ("body", "port"),
    [
        ('http.ListenAndServe(":8080", nil)', 8080),
        ('addr := ":" + os.Getenv("PORT")\nhttp.ListenAndServe(addr, mux)', 9090),
        ('srv := &http.Server{Addr: "0.0.0.0:8443"}\nsrv.ListenAndServeTLS("", "")', 8443),
        ('l, err := net.Listen("tcp", ":7000")', 7000),
    ],
)
def test_ports(body: str, port: int, tmp_path: Path) -> None:
    found = server(tmp_path, body, "os net net/http", PORT="9090")
    assert {one.number for one in found.listens} == {port}
    assert found.doubts == ()


def test_a_name_that_other_files_have_in_their_functions_is_looked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: Counter[str] = Counter()
    bound = Listing.bound

    def counted(listing: Listing, name: str, at: int) -> list[Binding]:
        asked[listing.path] += 1
        assert asked[listing.path] < 100, "files ask each other again and again"
        return bound(listing, name, at)

    monkeypatch.setattr(Listing, "bound", counted)
    others = {
        f"cmd/server/{name}.go": f"package main\nfunc {name}() {{\nport := 1\n}}\nfunc {name}2() {{\nport := 2\n}}\n"
        for name in "abcdef"
    }
    main = 'package main\nimport "net/http"\nfunc main() {\nhttp.ListenAndServe(":" + port, nil)\n}\n'
    files = {"go.mod": "module example.com/app\n", "cmd/server/main.go": main, **others}
    assert uses(tmp_path, DOCKERFILE, files).open(PORTS)
    assert {path.removeprefix("/src/") for path in asked} > set(others)
    files["cmd/server/z.go"] = 'package main\nconst port = "7000"\n'
    assert {one.number for one in uses(tmp_path, DOCKERFILE, files).listens} == {7000}


@pytest.mark.parametrize(
    ("body", "about"),
    [
        ("os.Create(name)", WRITES),
        ("http.ListenAndServe(addr, nil)", PORTS),
        ("exec.Command(name, args...).Run()", ESCALATION),
        ("os.Chown(p, uid, gid)", USERS),
        ('syscall.Mount("a", "b", "c", 0, "")', CAPABILITIES),
        ('plugin.Open("x.so")', CAPABILITIES),
        ("forEach(os.Remove)", WRITES),
    ],
)
def test_where_the_right_answer_is_a_doubt(body: str, about: str, tmp_path: Path) -> None:
    assert server(tmp_path, body, "os os/exec syscall plugin net/http").open(about)


def test_what_needs_a_capability(tmp_path: Path) -> None:
    found = server(tmp_path, 'icmp.ListenPacket("ip4:icmp", "0.0.0.0")\nsyscall.Setuid(1000)', "syscall")
    assert {one.name for one in found.capabilities} == {"NET_RAW", "SETUID"}
    assert [one.name for one in found.users] == ["1000"]


def test_libraries(tmp_path: Path) -> None:
    quiet = server(
        tmp_path, "chi.NewRouter()", "os github.com/go-chi/chi/v5/middleware example.com/app/own", "github.com/go-chi/chi/v5"
    )
    assert quiet.doubts == ()
    assert "github.com/x/y" in server(tmp_path, "", "github.com/x/y/z").open(MEMORY)


def test_native_code_and_other_names_are_doubts(tmp_path: Path) -> None:
    assert server(tmp_path, "", "C").open(CAPABILITIES)
    assert uses(
        tmp_path, DOCKERFILE, {"cmd/server/main.go": 'package main\nimport o "os"\nfunc main() {}', "go.mod": "module a"}
    ).open(WRITES)


@pytest.mark.parametrize(
    "dockerfile",
    [
        DOCKERFILE.replace("go build -o /bin/server ./cmd/server", "wget -O /bin/server example.com/x"),
        DOCKERFILE.replace("COPY --from=build /bin/server /server", "COPY --from=other/image /server /server"),
        'FROM golang:1.22\nWORKDIR /src\nCOPY . .\nRUN go build -o /bin/other .\nCMD ["/bin/bash"]\n',
        'FROM golang:1.22\nCOPY . .\nCMD ["go", "run", "."]\n',
    ],
)
def test_a_program_that_is_not_built_here_is_unknown(dockerfile: str, tmp_path: Path) -> None:
    files = {"go.mod": "module a", "main.go": "package main\nfunc main() {}\n"}
    assert uses(tmp_path, dockerfile, files).doubts[0].about == EVERYTHING
