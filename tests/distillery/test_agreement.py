import numpy as np

from distillery.agreement import agree
from distillery.data.rows import Split
from distillery.inference import open_session, run_rows


def test_a_file_agrees_with_itself(files, rows):
    agreement = agree(files["resnet"], files["resnet"], rows)
    assert (agreement.share, agreement.largest_logit_difference) == (1.0, 0.0)
    assert agreement.rows == len(rows.where(Split.TEST))


def test_two_files_are_compared_on_the_test_rows(files, rows):
    positions = rows.where(Split.TEST)
    one, other = (run_rows(open_session(files[name]), rows, positions) for name in files)
    agreement = agree(*files.values(), rows)
    assert agreement.rows == len(positions)
    assert 0 < agreement.share < 1
    assert agreement.share == np.mean(one.argmax(1) == other.argmax(1))
    assert agreement.largest_logit_difference == np.abs(one - other).max() > 0
