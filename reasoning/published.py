"""What reads data of a published form, under one name: the error, a question as stated, a file's text.

Owns: nothing; the rooms are `reasoning.data_error`, `reasoning.forms` and `reasoning.sources`.
"""

from reasoning.data_error import DataError
from reasoning.forms import Stated
from reasoning.sources import read_text

__all__ = ["DataError", "Stated", "read_text"]
