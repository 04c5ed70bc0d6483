"""What Gunicorn does by its options and its configuration file: binds, workers, logs, the account it becomes. Reads no command.

Source: benoitc/gunicorn 23.0.0 and 27.0.1, gunicorn/config.py, arbiter.py, util.py, workers/workertmp.py: workers are told alive
by a file in the temporary folder; files are given away, and the account changed, only where user or group are set to others;
a control socket (since 25.1) that cannot be made costs a line in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hardener.needs.source.python_values import HOLE, UNKNOWN, Items, Values, text_of
from hardener.needs.source.uses import CAPABILITIES, MEMORY, USERS, WRITES, Program

if TYPE_CHECKING:
    from hardener.needs.source.python_effects import Effects
    from hardener.needs.source.python_servers import Options


def finish(effects: Effects, options: Options, files: tuple[str, ...], program: Program) -> None:
    """Add to the effects of the application what its server does."""
    reader = effects.reader

    def setting(option: str, name: str, default: Values = ()) -> Values:
        given = options.values.get(option)
        if given:
            return tuple(given)
        for path in files:
            module = reader.project.modules.get(path)
            if module is None:
                return (UNKNOWN,)
            if name in module.scope.names:
                return reader.of_module(path, name)
        return default

    _bind(effects, setting("bind", "bind"), program)
    scratch = setting("worker-tmp-dir", "worker_tmp_dir", (None,))
    for value in scratch:
        folder = text_of(value if value is not None else reader.known.temporary())
        if HOLE in folder:
            effects.open_question(WRITES, "the folder of gunicorn's workers' files is computed")
        else:
            effects.place_written(folder, "scratch", "keeps a file for each worker")
    logs = (
        ("access-logfile", "accesslog", "log"),
        ("error-logfile", "errorlog", "log"),
        ("log-file", "logfile", "log"),
        ("pid", "pidfile", "run"),
    )
    for option, name, kind in logs:
        for value in setting(option, name):
            if value in (None, "-", ""):
                continue
            if HOLE in text_of(value):
                effects.open_question(WRITES, f"the file of gunicorn's `{name}` is computed")
            else:
                effects.place_written(text_of(value), kind, f"writes its {name}")
    for value in (
        setting("log-config", "logconfig")
        + setting("log-config-dict", "logconfig_dict")
        + setting("log-config-json", "logconfig_json")
    ):
        if value is not None:
            effects.open_question(WRITES, "the files that gunicorn's logging configuration names")
    _account(effects, setting("user", "user") + setting("group", "group"), setting("user", "user"))
    default = program.variable("WEB_CONCURRENCY", "1")
    counts = setting("workers", "workers", (default if default is not None else UNKNOWN,))
    if all(text_of(value).isdecimal() for value in counts):
        effects.workers = max(max(int(text_of(value)) for value in counts) - 1, 0)
    else:
        effects.open_question(MEMORY, "the number of gunicorn's workers is computed")


def _bind(effects: Effects, binds: Values, program: Program) -> None:
    if not binds:
        port = program.variable("PORT", "8000")
        effects.port(port, program.at)
    for value in binds:
        for one in [item for items in value.items for item in items] if isinstance(value, Items) else [value]:
            effects.bound(text_of(one), program.at)


def _account(effects: Effects, settings: Values, users: Values) -> None:
    if all(text_of(value) in ("0", "root") or value is None for value in settings):
        return
    for name in ("CHOWN", "SETGID", "SETUID"):
        effects.takes(name, "its server becomes another account")
    for value in users:
        if HOLE in text_of(value):
            effects.open_question(USERS, "the account that gunicorn becomes")
            effects.open_question(CAPABILITIES, "the account that gunicorn becomes")
        else:
            effects.becomes(text_of(value), "its server becomes this account")
