"""What a person sees of tests that ran in workers is what they see of tests that ran one by one."""

from __future__ import annotations

import re

import pytest

MODULES = {
    "test_some": """
        import os, pathlib, warnings, pytest

        @pytest.fixture(scope="module")
        def dear(tmp_path_factory):
            made = pathlib.Path("made")
            made.write_text(made.read_text() + "." if made.exists() else ".")
            yield
            print("taken away")

        def test_passes(dear): pass
        def test_passes_too(dear): assert pathlib.Path("made").read_text() == "."
        def test_fails(dear):
            print("said before")
            assert [1, 2] == [1, 3]
        @pytest.mark.skip(reason="of a reason")
        def test_skipped(): pass
        @pytest.mark.xfail
        def test_expected(): assert False
        def test_warns(): warnings.warn("take care", DeprecationWarning)
    """,
    "test_others": """
        def test_cannot_begin(missing): pass
        def test_passes(): pass
    """,
}


def outcome(pytester: pytest.Pytester, *options: str) -> tuple[dict[str, int], str]:
    """The counts of the last line, and all that was told of errors, failures and warnings, but for the time taken and
    the one line in which pytest says again what an error is."""
    pytester.path.joinpath("made").unlink(missing_ok=True)
    result = pytester.runpytest_subprocess("-p", "tests.running.workers", *options)
    told = result.stdout.str().partition("= ERRORS =")[2]
    return result.parseoutcomes(), re.sub(r"in \d+\.\d+s =+|^(ERROR \S+) - .*", r"\1", told, flags=re.MULTILINE)


@pytest.fixture
def modules(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))
    for name in ("CI", "BUILD_NUMBER"):  # with either, pytest's summary repeats a message over many lines
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(**MODULES)
    return pytester


def test_failures_output_and_warnings_are_told_as_without_workers(modules: pytest.Pytester) -> None:
    alone = outcome(modules)
    assert alone[0] == {"passed": 4, "failed": 1, "errors": 1, "skipped": 1, "xfailed": 1, "warnings": 1}
    assert "said before" in alone[1]
    assert "take care" in alone[1]
    assert outcome(modules, "--workers", "1") == alone
    counts, told = outcome(modules, "--workers", "2")
    assert counts == alone[0]
    assert sorted(told.splitlines()) == sorted(alone[1].splitlines())


def test_a_worker_that_dies_fails_the_run_and_what_it_ran_is_named(modules: pytest.Pytester) -> None:
    modules.makepyfile(test_dies="import os\ndef test_dies(): os._exit(3)")
    result = modules.runpytest_subprocess("-p", "tests.running.workers", "--workers", "1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*a worker died; what ran then: test_dies.py::test_dies *"])


def test_the_run_ends_at_the_first_failure_where_that_is_asked_for(modules: pytest.Pytester) -> None:
    modules.makepyfile(test_aa_fails="def test_fails(): assert False", test_zz="def test_passes(): pass")
    result = modules.runpytest_subprocess("-p", "tests.running.workers", "--workers", "1", "-x")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*stopping after 1 failures*"])
