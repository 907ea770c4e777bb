"""What a finished flow's artifacts are read for."""

from types import SimpleNamespace

import pytest

from distillery.artifacts import write_json
from flows.outcome import parities
from tasks.steps import Noun


def test_files_that_were_compared_with_their_networks_are_found_and_others_passed_over(tmp_path):
    said = {"rows": 9, "largest_logit_difference": 0.0, "agreement": 1.0}
    for name in ("qat", "static"):
        (tmp_path / name).mkdir()
    write_json(tmp_path / "qat/parity.json", said)
    models = {name: Noun("quantize_student", name, SimpleNamespace(path=name)) for name in ("qat", "static")}
    assert parities(tmp_path, models) == {"qat": said}
    with pytest.raises(ValueError, match="quantize_student has not run"):
        parities(tmp_path, {"qat": Noun("quantize_student", "qat", None)})
