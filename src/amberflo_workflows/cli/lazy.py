"""A command group that imports the module of a command only when that command runs."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class LazyCommand(NamedTuple):
    """Where a command is, and its one line in the help of the group.

    ``module`` has a :class:`typer.Typer` named ``app``: a single command, or a group.
    """

    module: str
    help: str


class LazyGroup(TyperGroup):
    """Lists its commands from a table, so that help and shell completion import none of their modules.

    See https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands.
    """

    lazy_commands: ClassVar[Mapping[str, LazyCommand]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, command in self.lazy_commands.items():
            self.add_command(TyperCommand(name, help=command.help, short_help=command.help))

    # Any: depending on its release, Typer uses click's Context or a copy of it.
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Replace the listed command by the real one. Called before a command runs, shows its help or is completed."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, listed and self._load(str(name)), rest

    def _load(self, name: str) -> Any:
        app: typer.Typer = import_module(self.lazy_commands[name].module).app
        # Plain help: boxes would need Rich, whose import takes longer than all else.
        app.rich_markup_mode = None
        command = typer.main.get_command(app)
        command.name = name
        return command
