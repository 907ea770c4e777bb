import base64
import dataclasses
from io import BytesIO

import numpy as np
from PIL import Image

from distillery.data.form import Shape
from distillery.report.pictures import LARGEST, look_at


def opened(seen):
    return Image.open(BytesIO(base64.b64decode(seen.picture.partition(",")[2])))


def test_a_dark_scan_is_stretched_to_white(rows):
    position = 3
    image = opened(look_at(rows, position))
    assert image.size == (8, 8)
    pixels = np.asarray(image)
    assert pixels.max() == 255
    assert np.array_equal(pixels == 0, rows.features[position][:, :, 0] == 0)


def test_colours_stay_and_large_images_are_made_small(rows):
    features = np.zeros((1, 300, 200, 3), np.uint8)
    features[..., 0] = 255
    form = Shape(height=300, width=200, channels=3)
    image = opened(look_at(dataclasses.replace(rows, features=features, form=form), 0))
    assert max(image.size) == LARGEST
    assert image.getpixel((0, 0)) == (255, 0, 0)


def test_a_black_image_is_black(rows):
    features = np.zeros((1, 8, 8, 1), np.uint8)
    assert np.asarray(opened(look_at(dataclasses.replace(rows, features=features), 0))).max() == 0


def test_a_row_of_a_table_is_its_columns_with_names_and_what_is_missing(table):
    seen = look_at(table, 0)
    assert seen.picture is None
    assert [name for name, _ in seen.cells] == ["größe", "colour", "day", "kind"]
    assert {name for name, value in seen.cells if value == "missing"} == {"größe", "colour"}


def test_rows_are_named_by_their_ids(rows):
    from distillery.data.rows import row_names

    assert look_at(rows, 5).row_id == row_names(rows.row_ids[5:6])[0]
