import pytest

from distillery.params.prune import (
    ChannelParams,
    MagnitudeParams,
    PatternParams,
    PenaltyParams,
    RegrowParams,
    ThresholdParams,
)


@pytest.fixture(scope="session")
def method(training):
    """A way to prune, by its kind, with changes by keyword; `epochs` are of its training."""
    kinds = {
        "magnitude": (MagnitudeParams, {"share": 0.6, "scope": "layer", "ramp_epochs": 2, "every": 5}),
        "threshold": (ThresholdParams, {"deviations": 0.7, "scope": "layer"}),
        "regrow": (
            RegrowParams,
            {"share": 0.6, "scope": "layer", "every": 5, "drop": 0.3, "until": 0.75, "grow": "gradient"},
        ),
        "pattern": (PatternParams, {"keep": 2, "of": 4}),
        "channels": (
            ChannelParams,
            {
                "importance": "l1", "scope": "layer", "share": 0.25, "rounds": 2, "multiple": 1,
                "max_accuracy_drop": 100.0,
            },
        ),
    }  # fmt: skip

    def make(kind, epochs=3, penalty=None, **changes):
        params, values = kinds[kind]
        drawn = None if penalty is None else PenaltyParams(kind=penalty[0], weight=penalty[1])
        return params(kind=kind, training=training(epochs=epochs), penalty=drawn, **(values | changes))

    return make


@pytest.fixture(scope="session")
def targets(rows, students, augment, runtime, tmp_path_factory):
    """The targets of the residual student as a teacher."""
    from distillery.labelling import label, load_targets

    folder = tmp_path_factory.mktemp("targets")
    for _ in label(students["resnet"], rows, augment, runtime, folder / "targets.npy"):
        pass
    return load_targets(folder)
