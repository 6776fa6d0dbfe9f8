"""What is printed is shown as it is."""

from __future__ import annotations

import io

from pipelines.command_line.console import plain_console


def test_what_is_shown_has_no_pictures_for_names_between_colons() -> None:
    shown = io.StringIO()
    plain_console(file=shown, width=80).print("runs/:smile:/a at s3://bucket/:+1:")
    assert shown.getvalue() == "runs/:smile:/a at s3://bucket/:+1:\n"
