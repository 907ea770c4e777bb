from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillery.data.rows import ROW_ID
from distillery.data.views import Variation, apply, mix, row_keys, vary
from distillery.params.data import AugmentParams

IDS = np.array(
    [(*np.frombuffer(hashlib.sha256(bytes(i)).digest()[:16], ">u8").tolist(), i % 3) for i in range(4000)],
    ROW_ID,
)


def augment(shift=2, flip=True):
    return AugmentParams(views=8, shift=shift, flip=flip)


def drawn(ids, seed, view, method):
    variation = vary(row_keys(ids, seed), view, method)
    return np.stack([variation.down, variation.right, variation.mirrored])


def test_mix_is_the_published_generator():
    """SplitMix64 seeded with 1234567 (the reference C code's first numbers, Vigna)."""
    golden = 0x9E3779B97F4A7C15
    state = np.array([(1234567 + i * golden) % 2**64 for i in range(3)], np.uint64)
    assert mix(state).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_mix_agrees_with_whole_numbers_of_any_size():
    def slow(x):
        x = (x + 0x9E3779B97F4A7C15) % 2**64
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) % 2**64
        return x ^ (x >> 31)

    values = np.random.default_rng(0).integers(0, 2**64, 100, np.uint64)
    assert mix(values).tolist() == [slow(x) for x in values.tolist()]


@given(st.permutations(range(20)), st.integers(0, 2**32 - 1), st.integers(0, 63))
def test_a_rows_view_does_not_depend_on_the_batch_it_is_in(order, seed, view):
    together = drawn(IDS[:20], seed, view, augment())
    np.testing.assert_array_equal(drawn(IDS[order], seed, view, augment()), together[:, order])
    np.testing.assert_array_equal(drawn(IDS[7:8], seed, view, augment()), together[:, 7:8])


def test_a_view_is_the_same_in_another_process():
    code = (
        "import numpy as np; from distillery.data.views import *; from distillery.params.data import *;"
        "from distillery.data.rows import ROW_ID;"
        f"ids = np.array({IDS[:50].tolist()}, ROW_ID);"
        "v = vary(row_keys(ids, 5), 3, AugmentParams(views=8, shift=2, flip=True));"
        "print(v.down.tolist(), v.right.tolist(), v.mirrored.tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    v = vary(row_keys(IDS[:50], 5), 3, augment())
    assert done.stdout.strip() == f"{v.down.tolist()} {v.right.tolist()} {v.mirrored.tolist()}"


@pytest.mark.parametrize("change", ["seed", "view", "occurrence", "digest"])
def test_seed_row_and_view_each_decide(change):
    ids, seed, view = IDS[:400], 0, 0
    before = drawn(ids, seed, view, augment())
    match change:
        case "seed":
            seed = 1
        case "view":
            view = 1
        case "occurrence":
            ids = ids.copy()
            ids["occurrence"] = 9
        case "digest":
            ids = ids.copy()
            ids["high"] ^= np.uint64(1)
    after = drawn(ids, seed, view, augment())
    assert (before != after).any(0).mean() > 0.8  # independent draws: 1 - 1/50 differ


@given(st.integers(0, 16), st.booleans(), st.integers(0, 63))
def test_a_shift_never_exceeds_its_bound_and_only_flip_mirrors(shift, flip, view):
    down, right, mirrored = drawn(IDS[:200], 0, view, augment(shift, flip))
    assert max(abs(down).max(), abs(right).max()) <= shift
    assert flip or not mirrored.any()


def test_shifts_and_mirrorings_are_uniform():
    """4,000 draws over 25 x 2 cells: chi-square (49 degrees) stays below its 99.99 % quantile."""
    down, right, mirrored = drawn(IDS, 0, 0, augment(2, True))
    cells = np.bincount(((down + 2) * 5 + right + 2) * 2 + mirrored, minlength=50)
    expected = len(IDS) / 50
    assert ((cells - expected) ** 2 / expected).sum() < 96


def test_views_of_a_row_are_not_tied_to_each_other():
    """Over 4,000 rows the shifts in two views correlate by less than 4.5 standard errors."""
    first, second = (drawn(IDS, 0, view, augment())[0] for view in (0, 1))
    assert abs(np.corrcoef(first, second)[0, 1]) < 4.5 / np.sqrt(len(IDS))


def one_by_one(features, variation):
    """Pixel by pixel: shift over zeros, then mirror."""
    result = np.zeros_like(features)
    batch, height, width, _ = features.shape
    for b in range(batch):
        for y in range(height):
            for x in range(width):
                to_y, to_x = y + variation.down[b], x + variation.right[b]
                if 0 <= to_y < height and 0 <= to_x < width:
                    result[b, to_y, width - 1 - to_x if variation.mirrored[b] else to_x] = features[b, y, x]
    return result


@given(
    st.data(), st.integers(1, 4), st.integers(1, 6), st.integers(1, 6), st.integers(1, 3), st.integers(0, 7)
)
def test_applying_equals_moving_every_pixel(data, batch, height, width, channels, shift):
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    features = random.integers(0, 256, (batch, height, width, channels), np.uint8)
    variation = Variation(
        random.integers(-shift, shift + 1, batch),
        random.integers(-shift, shift + 1, batch),
        random.integers(0, 2, batch).astype(bool),
    )
    result = apply(features, variation, shift)
    np.testing.assert_array_equal(result, one_by_one(features, variation))
    assert (result.dtype, result.flags.c_contiguous) == (np.uint8, True)


def test_no_shift_and_no_flip_leave_the_rows_as_they_are():
    features = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 1), np.uint8)
    variation = vary(row_keys(IDS[:3], 0), 5, augment(0, False))
    np.testing.assert_array_equal(apply(features, variation, 0), features)
