"""What is compiled is linted: nothing of ours has a finding, an error is written nowhere, a waiver has its reason."""

from __future__ import annotations

import golden_pipelines
import pytest

from ferryman.errors import SpecError, UsageError
from ferryman_pipelines.compile.forms import Form
from ferryman_pipelines.compile.judging import PORTABLE, judged


@pytest.mark.parametrize("place", golden_pipelines.PLACES)
@pytest.mark.parametrize("form", Form)
def test_no_file_of_ours_has_a_finding(place: str, form: Form) -> None:
    text = golden_pipelines.compilation("digits", place).text(form)
    assert judged(text, PORTABLE if form is Form.portable else {}) == []


def test_an_error_names_its_rule_and_how_to_go_on() -> None:
    text = golden_pipelines.compilation("digits", "full").text(Form.kfp)
    broken = text.replace("componentInputParameter: run_root", "componentInputParameter: run_toor", 1)
    assert broken != text
    with pytest.raises(SpecError, match=r"run_toor.*; try: .*, or waive [a-z-]+ with a reason"):
        judged(broken, {})


def test_a_warning_is_a_line_a_rule_and_a_waived_one_none() -> None:
    text = golden_pipelines.compilation("digits", "full").text(Form.portable)
    (line,) = judged(text, {})
    assert line.startswith("missing-timeout: ")
    assert " and 9 more: " in line
    assert judged(text, {"missing-timeout": "our admission controller sets one"}) == []


def test_a_waiver_of_no_rule_is_refused() -> None:
    with pytest.raises(UsageError, match="no such rule"):
        judged(golden_pipelines.compilation("digits", "plain").text(Form.kfp), {"missing-timeuot": "because of that"})
