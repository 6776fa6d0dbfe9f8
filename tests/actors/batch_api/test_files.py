"""What goes to and comes from the Batch API: files, lists and batches, read as far as they can be."""

import pytest

from actors.batch_api.files import RemoteBatch, fitting, input_line, read_input
from reasoning.teacher.calls import TeacherRequest


@pytest.mark.parametrize(
    "odd", [{"request_counts": {"total": None}}, {"errors": []}, {"errors": {"data": [{"code": 7}]}}]
)
def test_what_is_only_for_show_keeps_no_batch_from_being_read(odd: dict[str, object]) -> None:
    batch = RemoteBatch.model_validate({"id": "b", "status": "completed", "output_file_id": "f", **odd})
    assert batch.ended and batch.counts.total == 0 and batch.words == "the provider does not say why"


def test_files_are_cut_where_the_provider_takes_no_more() -> None:
    lines = [(number, b"x" * size) for number, size in enumerate([4, 4, 4, 20, 1, 9, 1])]
    parts = [[number for number, _ in part] for part in fitting(lines, most_bytes=10)]
    assert parts == [[0, 1], [2], [3], [4, 5], [6]]
    assert list(fitting([], most_bytes=10)) == []


def test_an_input_file_is_read_as_far_as_it_can_be() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Grüße"}], "temperature": 0.7, "max_tokens": 64}
    content = input_line("k", body) + b"null\n{}\n" + b'{"custom_id": "l", "body": {"messages": 3}}\n[[[\n\xff\n'
    assert read_input(content, "offline") == {"k": TeacherRequest("offline", "m", (("user", "Grüße"),), 0.0, 64)}
