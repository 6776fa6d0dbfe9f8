"""The Hugging Face Hub: a folder becomes a repository there.

Owns: the making of a repository and the upload, by `huggingface_hub`, and what is told when it does not work.

Invariant: a token is found by the library itself (HF_TOKEN, or what `hf auth login` kept), and stands in no message.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pipelines.errors import Refused


class RepositoryKind(StrEnum):
    MODEL = "model"
    DATASET = "dataset"


def push_folder(folder: Path, name: str, kind: RepositoryKind, *, private: bool = True) -> str:
    """Uploads all of `folder` to the repository `name` ("owner/name") of the library's hub (HF_ENDPOINT names another
    one), which is made where it does not exist; its address. Raises `Refused`."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        HTTPError,  # the base of all that goes wrong on the way
        LocalTokenNotFoundError,
        OfflineModeIsEnabled,
    )

    api = HfApi()
    try:
        api.create_repo(name, repo_type=kind, private=private, exist_ok=True)
        api.upload_folder(folder_path=folder, repo_id=name, repo_type=kind, commit_message="Exported by tailor export")
    except HFValidationError as error:
        raise Refused(f"--push {name}: not a repository's name ({error}); give OWNER/NAME") from error
    except LocalTokenNotFoundError as error:
        raise Refused(f"--push {name}: no token of the hub is here. {_TOKEN}; {folder} is written") from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        cure = _TOKEN if status in (401, 403) else "What is there stays as it was; try again"
        raise Refused(
            f"--push {name}: the hub answered {status}: {_first_line(error)}. {cure}; {folder} is written"
        ) from error
    except (OfflineModeIsEnabled, HTTPError, OSError) as error:
        raise Refused(
            f"--push {name}: {api.endpoint} was not reached: {_first_line(error)}; {folder} is written"
        ) from error
    return f"{api.endpoint}/{'datasets/' if kind is RepositoryKind.DATASET else ''}{name}"


_TOKEN = "Set HF_TOKEN to a token that may write there, or run `hf auth login`"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
