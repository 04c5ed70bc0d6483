"""The environment of a container of a pod: `$(NAME)`, ConfigMaps and where they are found, and how a variable is set."""

from __future__ import annotations

import pytest
from pods import after, container, containers, group

from hardener.errors import CannotWrite
from hardener.facts.kubernetes.environment import expand

VARIABLES = {"VAR_A": "A", "VAR_B": "B", "VAR.C": "C", "EMPTY": "", "REF": "$(VAR_A)", "SECRET": None}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(VAR_A)", "A"),
        ("___$(VAR_B)___", "___B___"),
        ("$(VAR_A)-1", "A-1"),
        ("$(VAR_A)_$(VAR_B)", "A_B"),
        ("$(VAR_A)$(VAR_B)", "AB"),
        ("$(VAR.C)", "C"),
        ("foo$(EMPTY)bar", "foobar"),
        ("$(REF)", "$(VAR_A)"),  # once, not again
        ("$$(VAR_A)", "$(VAR_A)"),
        ("$$(VAR_A)_$(VAR_B)", "$(VAR_A)_B"),
        ("$$$(VAR_A)", "$A"),
        ("$$$$(VAR_A)", "$$(VAR_A)"),
        ("$$$$$(VAR_A)", "$$A"),
        ("f000-$$VAR_A", "f000-$VAR_A"),
        ("kill $$", "kill $"),
        ("foo\\$(VAR_A)", "foo\\A"),
        ("$(UNDEFINED)", "$(UNDEFINED)"),
        ("$(UNDEFINED)$(VAR_A)", "$(UNDEFINED)A"),
        ("$(date +%s)", "$(date +%s)"),
        ("$VAR_A", "$VAR_A"),
        ("${VAR_A}", "${VAR_A}"),
        ("$(VAR_A", "$(VAR_A"),
        ("$(VAR_A$(VAR_B))", "$(VAR_A$(VAR_B))"),  # a name ends at the first bracket
        ("$()", "$()"),
        ("foo$", "foo$"),
        ("$?_boo_$!", "$?_boo_$!"),
        ("", ""),
        ("$(SECRET)", None),
        ("a$(VAR_A)$(SECRET)", None),
        ("$$(SECRET)", "$(SECRET)"),
    ],
)
def test_references_are_expanded(text: str, expanded: str | None) -> None:
    """By hand, after the grammar in the API reference (EnvVar.value) and expansion.go."""
    assert expand(text, VARIABLES) == expanded


def pod(env: str, *more: str, name: str = "app", namespace: str = "") -> str:
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}{f', namespace: {namespace}' if namespace else ''}}}\n"
        f"spec:\n  containers:\n  - name: {name}\n    image: example.com/app:1\n    env: {env}\n"
        + "".join(f"    {line}\n" for line in more)
    )


def config_map(data: str, name: str = "conf", namespace: str = "") -> str:
    metadata = f"{{name: {name}{f', namespace: {namespace}' if namespace else ''}}}"
    return f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {metadata}\ndata: {data}\n"


def test_variables_may_use_those_before_them_only() -> None:
    env = "[{name: HOST, value: db}, {name: URL, value: 'http://$(HOST):$(PORT)'}, {name: PORT, value: '80'}]"
    assert container(pod(env)).environment == {"HOST": "db", "URL": "http://db:$(PORT)", "PORT": "80"}


def test_command_and_arguments_are_expanded() -> None:
    one = container(pod("[{name: PORT, value: '80'}]", "command: [app, '--port=$(PORT)']", "args: ['$$HOME', $(NO)]"))
    assert one.entrypoint == ("app", "--port=80")
    assert one.command == ("$HOME", "$(NO)")


@pytest.mark.parametrize(
    ("lines", "entrypoint", "command"),
    [
        ((), None, None),
        (("args: [a]",), None, ("a",)),
        (("command: [c]",), ("c",), ()),  # the image's own arguments go with its entrypoint
        (("command: [c]", "args: [a]"), ("c",), ("a",)),
        (("command: []", "args: []"), None, None),
        (("command: null",), None, None),
    ],
)
def test_command_replaces_the_entrypoint_and_args_the_command(
    lines: tuple[str, ...], entrypoint: tuple[str, ...] | None, command: tuple[str, ...] | None
) -> None:
    """From tasks/inject-data-application/define-command-argument-container; an empty list counts as not given."""
    one = container(pod("[]", *lines))
    assert (one.entrypoint, one.command) == (entrypoint, command)


def test_values_from_elsewhere() -> None:
    env = """
    - {name: PLAIN, value: a}
    - {name: NUMBER, value: "1"}
    - {name: NOTHING}
    - {name: MAP, valueFrom: {configMapKeyRef: {name: conf, key: mode}}}
    - {name: NO_KEY, valueFrom: {configMapKeyRef: {name: conf, key: none}}}
    - {name: NO_MAP, valueFrom: {configMapKeyRef: {name: other, key: mode}}}
    - {name: SECRET, valueFrom: {secretKeyRef: {name: s, key: k}}}
    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    - {name: FROM_SECRET, value: a$(SECRET)}
"""
    assert container(pod(env) + config_map("{mode: fast}")).environment == {
        "PLAIN": "a",
        "NUMBER": "1",
        "NOTHING": "",
        "MAP": "fast",
        "NO_KEY": None,
        "NO_MAP": None,
        "SECRET": None,
        "NODE": None,
        "FROM_SECRET": None,
    }


def test_a_whole_map_with_a_prefix_and_what_wins_over_it() -> None:
    lines = ("envFrom: [{configMapRef: {name: conf}}, {prefix: P_, configMapRef: {name: conf}}, {secretRef: {name: s}}]",)
    one = container(pod("[{name: A, value: own}]", *lines) + config_map("{A: map, B: map}"))
    assert one.environment == {"A": "own", "B": "map", "P_A": "map", "P_B": "map"}
    assert one.missing_env_files == ("s",)


REFERENCE = "[{name: MODE, valueFrom: {configMapKeyRef: {name: conf, key: mode}}}]"


@pytest.mark.parametrize(
    ("files", "mode"),
    [
        ({}, None),
        ({"shop/maps.yaml": config_map("{mode: folder}")}, "folder"),
        (
            {"shop/maps.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}, "data": {"mode": "j"}}'},
            "j",
        ),
        ({"other/maps.yaml": config_map("{mode: elsewhere}")}, "elsewhere"),
        ({"other/maps.yaml": config_map("{mode: elsewhere}"), "shop/maps.yaml": config_map("{mode: folder}")}, "folder"),
        ({"a/maps.yaml": config_map("{mode: a}"), "b/maps.yaml": config_map("{mode: b}")}, None),  # which is meant?
        ({"shop/a.yaml": config_map("{mode: a}"), "shop/b.yaml": config_map("{mode: b}")}, None),
        ({"shop/maps.yaml": config_map("{mode: a}", name="other")}, None),
        ({"shop/maps.yaml": config_map("{mode: {{ .Values.mode }}}")}, None),
        ({"shop/maps.yaml": config_map("{mode: a}") + "binaryData: {x: AA==}\n"}, None),
        ({"shop/maps.yaml": config_map("{}")}, None),
    ],
)
def test_maps_are_looked_for_near_by(files: dict[str, str], mode: str | None) -> None:
    of = group(pod(REFERENCE), "shop/pod.yaml", **files)
    assert of.containers[0].environment == {"MODE": mode}


def test_a_map_of_the_same_file_comes_first() -> None:
    others = {"shop/maps.yaml": config_map("{mode: folder}")}
    assert group(pod(REFERENCE) + config_map("{mode: file}"), "shop/pod.yaml", **others).containers[0].environment == {
        "MODE": "file"
    }


@pytest.mark.parametrize(
    ("mine", "theirs", "mode"), [("a", "a", "x"), ("a", "b", None), ("a", "", "x"), ("", "b", "x"), ("", "", "x")]
)
def test_maps_of_another_namespace_are_others(mine: str, theirs: str, mode: str | None) -> None:
    text = pod(REFERENCE, namespace=mine) + config_map("{mode: x}", namespace=theirs)
    assert container(text).environment == {"MODE": mode}


def test_files_of_a_map_are_known_as_they_are_mounted() -> None:
    text = """
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  containers:
  - name: app
    image: example.com/app:1
    volumeMounts:
    - {name: all, mountPath: /all}
    - {name: some, mountPath: /some}
    - {name: all, mountPath: /etc/app.conf, subPath: app.conf}
    - {name: both, mountPath: /both}
    - {name: unknown, mountPath: /unknown}
  volumes:
  - {name: all, configMap: {name: conf}}
  - {name: some, configMap: {name: conf, items: [{key: app.conf, path: sub/renamed}]}}
  - {name: both, projected: {sources: [{configMap: {name: conf}}, {secret: {name: s}}]}}
  - {name: unknown, configMap: {name: other}}
"""
    one = container(text + config_map('{app.conf: "listen 80\\n", b: B}'))
    assert {mount.target: mount.files for mount in one.mounts} == {
        "/all": (("app.conf", "listen 80\n"), ("b", "B")),
        "/some": (("sub/renamed", "listen 80\n"),),
        "/etc/app.conf": (("", "listen 80\n"),),
        "/both": None,
        "/unknown": None,
    }


# Writing.


@pytest.mark.parametrize(
    ("env", "result"),
    [
        ("[]", [{"name": "MODE", "value": "new"}]),
        ("null", [{"name": "MODE", "value": "new"}]),
        ("[{name: A, value: b}]", [{"name": "A", "value": "b"}, {"name": "MODE", "value": "new"}]),
        ("[{name: MODE, value: old}, {name: A, value: b}]", [{"name": "MODE", "value": "new"}, {"name": "A", "value": "b"}]),
        ("[{name: MODE}]", [{"name": "MODE", "value": "new"}]),
    ],
)
def test_a_variable_is_set_in_its_place_or_added(env: str, result: list[dict[str, str]]) -> None:
    of = group(pod(env))
    (document,) = after(of, of.containers[0].variable("MODE").to("new"))
    assert document["spec"]["containers"][0]["env"] == result


@pytest.mark.parametrize(
    ("env", "new", "why"),
    [
        (REFERENCE, "new", "from elsewhere"),
        ("[{name: MODE, value: old}]", None, "never"),
    ],
)
def test_a_variable_is_left_to_what_sets_it(env: str, new: str | None, why: str) -> None:
    with pytest.raises(CannotWrite, match=why):
        container(pod(env)).variable("MODE").to(new)


def test_two_containers_have_two_environments() -> None:
    text = pod("[{name: A, value: '1'}]") + "  - {name: other, image: example.com/app:1, env: [{name: A, value: $(A)}]}\n"
    found = containers(text)
    assert found["app"].environment == {"A": "1"}
    assert found["app/other"].environment == {"A": "$(A)"}
