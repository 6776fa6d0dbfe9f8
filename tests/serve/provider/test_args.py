"""The settings of a faulty provider: strict, silent about keys, and each handed to the part that keeps it."""

import pytest
from pydantic import ValidationError

from reasoning.offline.teacher import OfflineTeacher
from serve.provider.args import ProviderArgs
from serve.provider.chat_completion import EchoTeacher
from serve.provider.faults import FaultArgs


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValidationError, match="reqests_per_minute"):
        ProviderArgs.model_validate({"reqests_per_minute": 5})


def test_keys_are_not_shown() -> None:
    assert "sk-secret" not in repr(ProviderArgs(api_keys=("sk-secret",)))


def test_batch_faults_have_the_weights_of_the_others_and_a_share_of_their_own() -> None:
    faults = ProviderArgs(faults=FaultArgs(share=0.5), batch_fault_share=0.25)
    assert faults.batch_faults().share == 0.25
    assert faults.batch_faults().weights == faults.faults.weights


def test_the_teacher_and_the_limits_are_those_that_were_set() -> None:
    args = ProviderArgs(teacher="echo", requests_per_minute=7, quota_cost=1.5)
    assert isinstance(args.build_teacher(), EchoTeacher)
    assert isinstance(ProviderArgs().build_teacher(), OfflineTeacher)
    assert (args.limits().requests_per_minute, args.limits().quota_cost) == (7, 1.5)
