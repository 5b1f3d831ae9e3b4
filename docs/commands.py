"""Write the reference page of the command line from the command line itself."""

import re
from typing import Any

import typer

from cli import main


def _plain(text: str) -> str:
    """Escape what Markdown would take for markup; names in `backquotes` stay code."""
    return re.sub(r"([\\*_\[\]<>|$~])", r"\\\1", text)


def _default(parameter: Any) -> str:
    shown, default = parameter.show_default, parameter.default
    if isinstance(shown, str):
        return shown
    if parameter.required:
        return "must be given"
    if default is None or default is False or default == () or not shown or callable(default):
        return ""
    return f"`{default}`"


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return (parameter.metavar or parameter.name or "").upper()
    names = ", ".join([*parameter.opts, *parameter.secondary_opts])
    return names if parameter.is_flag else f"{names} {(parameter.name or '').upper()}"


def _usage(words: list[str], command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name != "argument"]
    needed = [_name(p) for p in options if p.required]
    more = ["[OPTIONS]"] if len(needed) < len(options) else []
    names = [_name(p) if p.required else f"[{_name(p)}]" for p in arguments]
    return " ".join([*words, *more, *needed, *names])


def _section(words: list[str], command: Any) -> list[str]:
    """Describe a command and those below it."""
    subcommands = getattr(command, "commands", {})
    parts = []
    if len(words) > 1:
        parts.append(f"{'#' * len(words)} `{' '.join(words)}`\n")
        parts.append(_plain(" ".join((command.help or "").split())) + "\n")
    if not subcommands and command.params:
        parts.append(f"```text\n{_usage(words, command)}\n```\n")
        rows = [
            f"| `{_name(p)}` | {_plain(p.help or '')} | {_default(p)} |"
            for p in command.params
            if not p.hidden
        ]
        if rows:
            parts.append("\n".join(["| | meaning | default |", "|---|---|---|", *rows]) + "\n")
    for name, below in subcommands.items():
        parts += _section([*words, name], below)
    return parts


def page() -> str:
    """Return the page in Markdown."""
    top = typer.main.get_command(main.build(None))
    intro = (
        "(commands)=\n# Commands\n\n"
        "Each command also explains itself: `skyledger COMMAND --help`. Messages about errors are "
        "one line on standard error; what the exit codes mean is listed under "
        "[exit codes](../exit-codes.md).\n"
    )
    return "\n".join([intro, *_section(["skyledger"], top)])
