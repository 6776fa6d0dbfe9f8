"""The Typer application that every command of `tailor` belongs to.

Owns: what all commands have alike: errors told plainly, `--json`, exit codes, and help that ends with an
example and the page to read on.

Exit codes: 0 done, 1 the run stopped (resumable) or the answer is a no, 2 bad input (nothing was started), 130
interrupted.

Invariant: a command returns an `Answer` (or None) and neither prints JSON nor catches errors by itself.
"""

from __future__ import annotations

import functools
import inspect
import io
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from pipelines.command_line.answer import Answer, error_document, standard_output_for_the_document
from pipelines.command_line.console import plain_console
from pipelines.command_line.stopping import told_when_stopped
from pipelines.errors import INTERRUPTED, as_user_error, errors_raised, told, told_plainly

JSON, VERSION = "--json", "--version"
_HELP = {"--help", "-h", "--install-completion", "--show-completion"}

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
JsonOption = Annotated[
    bool, typer.Option(JSON, help="Print one JSON document; progress goes to standard error.", show_default=False)
]


class CommandLine(typer.Typer):
    """An application, or a part of one, whose commands have all that is alike."""

    def __init__(self, **settings: Any) -> None:
        names = {"help_option_names": ["--help", "-h"]}
        super().__init__(cls=_Group, pretty_exceptions_enable=False, context_settings=names, **settings)

    def add(self, command: Callable[..., Any], *, example: str, more: str, name: str | None = None) -> None:
        """Adds `command`. `example` is a command line that a reader can try, `more` the page that goes on."""
        epilog = f"Example: [bold]{example}[/bold]\n\nMore: {more}"
        self.command(name, cls=_Command, epilog=epilog)(_answering(command))

    def added(self, *, example: str, more: str, name: str | None = None) -> Callable[[CommandT], CommandT]:
        """`add` as a decorator."""

        def decorate(command: CommandT) -> CommandT:
            self.add(command, example=example, more=more, name=name)
            return command

        return decorate


def version() -> str:
    from importlib.metadata import version as installed

    return installed("tailor")


def alone(command: Callable[..., Any]) -> None:
    """Runs `command` as a program of its own, with this process's arguments."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(cls=_Command)(_answering(command))
    app()


def _answering(command: Callable[..., Any]) -> Callable[..., Any]:
    """`command` with the option `--json`; its answer is shown to a person here, and to a program by `main`."""

    @functools.wraps(command)
    def answer(*arguments: Any, json: bool = False, **options: Any) -> Any:
        with told_plainly():
            found = command(*arguments, **options)
            if json or not isinstance(found, Answer):
                return found
            if found.show is not None:
                found.show(plain_console())
            raise typer.Exit(found.exit_code)

    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=JsonOption)
    parameters = [*signature.parameters.values(), option]
    answer.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    answer.__annotations__ = {one.name: one.annotation for one in parameters}
    return answer


def _main(run: Callable[..., Any], args: Sequence[str] | None = None, **settings: Any) -> Any:
    """Runs a command line; with `--json` the answer, or the error, is the one document on standard output."""
    given = list(sys.argv[1:] if args is None else args)
    _lose_no_output()
    with told_when_stopped():
        return _run(run, given, **settings)


def _run(run: Callable[..., Any], given: list[str], **settings: Any) -> Any:
    before = given[: given.index("--")] if "--" in given else given
    if JSON not in before or _HELP & set(before):
        return run(given, **settings)
    if given[0] == JSON and "--" not in given:  # a command's option, which is understood before the command, too
        given = [*given[1:], JSON]
    with standard_output_for_the_document() as tell, errors_raised():
        if given == [VERSION, JSON]:
            tell({"version": version()})
            sys.exit(0)
        sys.exit(_told(lambda: run(given, **{**settings, "standalone_mode": False}), tell))


def _lose_no_output() -> None:
    """A character that a terminal or file in another encoding than UTF-8 cannot show costs itself, not the command (a
    run that shows `✓`, say)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and (stream.encoding, stream.errors) != ("utf-8", "surrogateescape"):
            stream.reconfigure(errors="replace" if stream.errors in ("strict", "surrogateescape") else stream.errors)


def _told(run: Callable[[], Any], tell: Callable[[object], None]) -> int:
    """Runs, tells the document and returns the exit code."""
    try:
        found = run()
    except typer.TyperException as error:
        error.message = error.format_message()
        return _failed(error, error.exit_code, tell)
    except Exception as error:  # noqa: BLE001 - what is no user's error is ours: its trace, and the document, too
        said = as_user_error(error)
        if said is not None:
            return _failed(said, said.exit_code, tell)
        traceback.print_exc()
        tell(error_document(error, 1))
        return 1
    if isinstance(found, Answer):
        tell(found.document)
        return found.exit_code
    code = found if isinstance(found, int) else 0
    interrupted = {"error": {"type": "Interrupted", "message": "interrupted", "exit_code": INTERRUPTED}}
    tell(interrupted if code == INTERRUPTED else {"exit_code": code})
    return code


def _failed(error: Exception, code: int, tell: Callable[[object], None]) -> int:
    told(error)
    tell(error_document(error, code))
    return code


class _Command(TyperCommand):
    def main(self, *args: Any, **settings: Any) -> Any:
        return _main(super().main, *args, **settings)


class _Group(TyperGroup):
    def main(self, *args: Any, **settings: Any) -> Any:
        return _main(super().main, *args, **settings)
