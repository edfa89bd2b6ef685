"""Groups of commands that do a job of their own, too: `configural study` beside `configural study compare`."""

from typing import Any

from typer.core import TyperCommand, TyperGroup


class DefaultCommand(TyperCommand):
    """What the group does without one of its commands; on the command line it goes by the group's name."""

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Take the group's place in the command line."""
        return super().make_context(parent.info_name, args, parent.parent, **extra)


class GroupWithDefault(TyperGroup):
    """A group in which whatever is not one of its commands is meant for its one `DefaultCommand`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command's name first, unless another command's is there.

        The default command's own name is none to call it by: it may be a file's or folder's.
        """
        (default,) = (name for name, each in self.commands.items() if isinstance(each, DefaultCommand))
        named = bool(args) and args[0] in self.commands and args[0] != default
        return super().parse_args(ctx, args if named else [default, *args])
