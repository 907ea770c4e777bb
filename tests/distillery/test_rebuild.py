import pytest

from distillery.rebuild import Agreement, Cause, Made, Verdict, causes_of, judge

NUMBERS = {"accuracy": 0.97, "accuracy_low": 0.95, "accuracy_high": 0.98}
CAUSE = Cause("torch", "2.13.0", "2.14.0")
CLOSE = Agreement(359, 0.95, 0.02)


def made(onnx="file", weights="student", teacher="teacher", **numbers):
    return Made(onnx, weights, teacher, NUMBERS | numbers)


@pytest.mark.parametrize("causes", [[], [CAUSE]])
def test_equal_bytes_are_identical_whatever_the_environment(causes):
    assert judge(made(), made(), causes, None).verdict is Verdict.IDENTICAL


def test_other_bytes_in_another_environment_that_predict_the_same_are_equivalent():
    judgement = judge(made(), made("other", accuracy_low=0.93, accuracy_high=0.95), [CAUSE], CLOSE)
    assert judgement.verdict is Verdict.EQUIVALENT
    assert "they part where the file is made" in judgement.reasons[1]


@pytest.mark.parametrize(
    ("rebuilt", "causes", "agreement", "said"),
    [
        (made("other"), [], CLOSE, "nothing in the environment accounts"),
        (made("other"), [CAUSE], Agreement(359, 0.9499, 0.02), "of predictions agree"),
        (made("other"), [CAUSE], None, "the registered file is gone"),
        (made("other", accuracy_low=0.9, accuracy_high=0.9499), [CAUSE], CLOSE, "intervals are apart"),
        (made("other", accuracy_low=0.9801, accuracy_high=0.99), [CAUSE], CLOSE, "intervals are apart"),
    ],
)
def test_other_bytes_are_different_for_each_reason_and_it_is_said(rebuilt, causes, agreement, said):
    judgement = judge(made(), rebuilt, causes, agreement)
    assert judgement.verdict is Verdict.DIFFERENT
    assert len(judgement.reasons) == 2
    assert said in judgement.reasons[1]


def test_all_reasons_are_said_at_once():
    reasons = judge(made(), made("other", accuracy_high=0.5), [], Agreement(10, 0.5, 9.0)).reasons
    assert len(reasons) == 4


@pytest.mark.parametrize(
    ("rebuilt", "said"),
    [
        (made("o", "w", "t"), "part at the teacher's"),
        (made("o", "w"), "part at the student's"),
        (made("o"), "part where the file is made"),
    ],
)
def test_where_two_builds_part_is_said(rebuilt, said):
    assert said in judge(made(), rebuilt, [], CLOSE).reasons[0]


ENVIRONMENT = {
    "python": "3.11.7",
    "system": "Linux x86_64",
    "gpus": [],
    "cpu": {"model": "Xeon", "features": ["avx2", "amx_bf16"]},
    "distributions": {"torch": "2.13.0", "numpy": "2.4.6", "pytest": "8"},
}


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"python": "3.12.1"}, Cause("python", "3.11.7", "3.12.1")),
        ({"system": "Linux aarch64"}, Cause("system", "Linux x86_64", "Linux aarch64")),
        ({"cpu": {"model": "Epyc", "features": ["avx2", "amx_bf16"]}}, Cause("cpu model", "Xeon", "Epyc")),
        ({"cpu": {"model": "Xeon", "features": []}}, Cause("cpu features", "avx2 amx_bf16", "none")),
        ({"distributions": {"torch": "2.13.0"}}, Cause("numpy", "2.4.6", "none")),
    ],
)
def test_what_differs_is_named_with_both_values(change, cause):
    assert causes_of(ENVIRONMENT, ENVIRONMENT | change, ["torch", "numpy"], "cpu") == [cause]


def test_what_shapes_no_file_is_no_cause():
    here = ENVIRONMENT | {"gpus": ["H100"], "distributions": ENVIRONMENT["distributions"] | {"pytest": "9"}}
    assert causes_of(ENVIRONMENT, here, ["torch", "numpy"], "cpu") == []
    assert causes_of(ENVIRONMENT, here, ["torch"], "cuda") == [Cause("gpus", "none", "H100")]


def test_an_environment_that_says_less_is_no_error():
    assert {cause.here for cause in causes_of(ENVIRONMENT, {}, ["torch"], "cpu")} == {"none"}
