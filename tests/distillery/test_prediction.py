from __future__ import annotations

import gzip
import io
import json
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from distillery import prediction, raw_arrays, raw_text
from distillery.data.form import Shape
from distillery.data.readers.recognise import open_source
from distillery.errors import DataError
from distillery.export import export
from distillery.inference import open_session, run_feeds, softmax
from distillery.models.mlp import Mlp
from distillery.models.network import Classifier
from distillery.prediction import Predicting
from distillery.raw_rows import Piped


@pytest.fixture(scope="module")
def model(files):
    return files["mlp"]


@pytest.fixture(scope="module")
def pixels(rows):
    return np.array(rows.features[:5])


@pytest.fixture(scope="module")
def expected(model, pixels):
    probabilities = softmax(run_feeds(open_session(model), [{"input": pixels}]))
    return [(str(p.argmax()), float(p.max())) for p in probabilities]


def agree(predictions, expected):
    assert [p.label for p in predictions] == [label for label, _ in expected]
    assert [p.probability for p in predictions] == pytest.approx([share for _, share in expected], rel=1e-5)


def csv(pixels, header=None, label=False):
    lines = [",".join([*(["3"] if label else []), *map(str, row.ravel())]) for row in pixels]
    return "\n".join(([header] if header else []) + lines) + "\n"


NAMES = ",".join(f"p{i}" for i in range(64))


@pytest.mark.parametrize(
    ("header", "label"), [(None, False), (NAMES, False), (f"label,{NAMES}", True), (f'"label",{NAMES}', True)]
)
def test_a_csv_is_read_with_and_without_header_and_label(
    predict_file, model, pixels, expected, tmp_path, header, label
):
    (tmp_path / "rows.csv").write_text(csv(pixels, header, label))
    predictions = predict_file(model, tmp_path / "rows.csv").rows
    agree(predictions, expected)
    assert [p.row for p in predictions] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("shape", [(5, 8, 8, 1), (5, 8, 8)])
@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_an_npy_is_read_with_and_without_the_channel_of_grey(
    predict_file, model, pixels, expected, tmp_path, shape, kind
):
    np.save(tmp_path / "rows.npy", pixels.reshape(shape).astype(kind))
    agree(predict_file(model, tmp_path / "rows.npy").rows, expected)


def test_an_npz_is_read_by_its_only_array_or_the_one_named_input(
    predict_file, model, pixels, expected, tmp_path
):
    np.savez(tmp_path / "one.npz", anything=pixels)
    np.savez_compressed(tmp_path / "two.npz", labels=np.arange(5), input=pixels)
    agree(predict_file(model, tmp_path / "one.npz").rows, expected)
    agree(predict_file(model, tmp_path / "two.npz").rows, expected)


def test_images_are_read_one_by_one_or_as_a_folder_in_the_order_of_their_names(
    predict_file, model, pixels, expected, tmp_path
):
    for i in (4, 2, 0, 1, 3):
        Image.fromarray(pixels[i, :, :, 0]).save(tmp_path / f"{i}.png")
    (tmp_path / "notes.txt").write_text("not an image")
    agree(predict_file(model, tmp_path / "2.png").rows, expected[2:3])
    predictions = predict_file(model, tmp_path).rows
    agree(predictions, expected)
    assert [p.row for p in predictions] == [f"{i}.png" for i in range(5)]


def test_colour_images_keep_their_channels(predict_file, tmp_path):
    network = Mlp(family="mlp", hidden=(), dropout=0.0).network(Shape(height=2, width=3, channels=3), 2)
    content = export(Classifier(network), ("no", "yes"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.save(tmp_path / "a.npy", pixels[None])
    assert (
        predict_file(content, tmp_path / "a.png").rows[0].probability
        == predict_file(content, tmp_path / "a.npy").rows[0].probability
    )


@pytest.fixture(scope="module")
def refused(predict_file):
    def make(model, source):
        with pytest.raises(DataError) as caught:
            predict_file(model, source)
        assert str(source) in caught.value.message
        return str(caught.value)

    return make


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", b"", "has no rows"),
        ("a.csv", b"\xff\xfe\x00", "not a readable CSV"),
        ("a.csv", b"1,2,3\n", "3 columns; the model takes 64"),
        ("a.csv", (NAMES + "\n").encode(), "has no rows"),
        ("a.npy", b"", "no readable array"),
        ("a.npy", b"garbage", "no readable array"),
        ("a.npz", b"PK\x03\x04garbage", "archive cannot be read"),
        ("a.npz", b"", "archive cannot be read"),
        ("a.png", b"garbage", "not a readable image"),
        ("a.png", b"", "not a readable image"),
        ("a.pdf", b"", ".pdf is not read here"),
        ("noend", b"", "without suffix"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_remedy(refused, model, tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    assert words in refused(model, tmp_path / name)


def test_a_file_that_is_not_there_and_an_empty_folder_are_refused(refused, model, tmp_path):
    assert "is not there" in refused(model, tmp_path / "nowhere.csv")
    assert "holds no images" in refused(model, tmp_path)


@pytest.mark.parametrize("value", ["256", "-1", "1.5", "nan", "inf", "", "dog", "1e400"])
def test_a_cell_that_is_no_pixel_names_its_row(refused, model, pixels, tmp_path, value):
    lines = csv(pixels, NAMES).splitlines()
    lines[3] = ",".join([value, *lines[3].split(",")[1:]])
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert "row 2: values must be whole numbers from 0 to 255" in refused(model, tmp_path / "a.csv")


def test_a_row_with_a_cell_too_many_is_refused(refused, model, pixels, tmp_path):
    lines = csv(pixels, NAMES).splitlines()
    (tmp_path / "every.csv").write_text("\n".join([lines[0], *("7," + line for line in lines[1:])]))
    (tmp_path / "one.csv").write_text("\n".join([*lines[:3], "7," + lines[3], *lines[4:]]))
    refused(model, tmp_path / "every.csv")
    refused(model, tmp_path / "one.csv")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((5, 8, 9, 1), np.uint8),
        np.zeros((8, 8), np.uint8),
        np.zeros((), np.uint8),
        np.zeros((2, 64), np.uint8),
        np.full((2, 8, 8), 300),
        np.full((2, 8, 8), 0.5),
        np.full((2, 8, 8), np.nan),
        np.full((2, 8, 8), 1 + 0j),
        np.full((2, 8, 8), "a"),
        np.zeros((0, 8, 8), np.uint8),
        np.array([{"pickled": True}], dtype=object),
    ],
)
def test_an_array_that_is_no_rows_of_the_model_is_refused(refused, model, tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    refused(model, tmp_path / "a.npy")


def test_an_npz_without_input_or_with_a_member_that_is_no_array_is_refused(refused, model, tmp_path, pixels):
    np.savez(tmp_path / "a.npz", one=pixels, two=pixels)
    refused(model, tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("input", b"no array at all")
    refused(model, tmp_path / "b.npz")


def test_an_image_of_another_size_says_both_sizes(refused, model, tmp_path):
    Image.new("L", (9, 8)).save(tmp_path / "a.png")
    said = refused(model, tmp_path / "a.png")
    assert "it is 8x9, not 8x8 (HEIGHTxWIDTH), which the model takes: resize it" in said


def test_an_image_is_decoded_as_an_import_decodes_it(predict_file, tmp_path):
    network = Mlp(family="mlp", hidden=(), dropout=0.0).network(Shape(height=2, width=3, channels=3), 2)
    content = export(Classifier(network), ("no", "yes"))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 4), np.uint8)
    pixels[..., 3] = [[0, 255, 100], [255, 0, 0]]
    (tmp_path / "a").mkdir()
    Image.fromarray(pixels).save(tmp_path / "a/clear.png")
    (chunk,) = open_source(tmp_path).chunks()
    np.save(tmp_path / "rows.npy", chunk.features)
    assert [p.probability for p in predict_file(content, tmp_path / "a").rows] == [
        p.probability for p in predict_file(content, tmp_path / "rows.npy").rows
    ]


def test_an_image_for_a_model_of_other_channels_is_refused(refused, tmp_path):
    network = Mlp(family="mlp", hidden=(), dropout=0.0).network(Shape(height=2, width=3, channels=4), 2)
    Image.new("RGBA", (3, 2)).save(tmp_path / "a.png")
    assert "takes 4 channels" in refused(export(Classifier(network), ("no", "yes")), tmp_path / "a.png")


def samples(pixels):
    """One good file of every kind."""
    plain, zipped, packed, picture = io.BytesIO(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(plain, pixels)
    np.savez(zipped, input=pixels)
    np.savez_compressed(packed, input=pixels)
    Image.fromarray(pixels[0, :, :, 0]).save(picture, "png")
    return {
        "a.csv": csv(pixels, NAMES).encode(),
        "a.npy": plain.getvalue(),
        "a.npz": zipped.getvalue(),
        "b.npz": packed.getvalue(),
        "a.png": picture.getvalue(),
    }


@given(st.data())
def test_no_corruption_of_any_file_raises_anything_but_a_data_error(
    predict_file, model, pixels, tmp_path_factory, data
):
    name, content = data.draw(st.sampled_from(sorted(samples(pixels).items())))
    broken = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del broken[data.draw(st.integers(0, len(broken) - 1)) :]
    file = tmp_path_factory.mktemp("fuzz") / name
    file.write_bytes(broken)
    try:
        predictions = predict_file(model, file).rows
    except DataError as error:
        assert str(file) in error.message
    else:
        assert {p.label for p in predictions} <= set("0123456789")


@given(st.sampled_from(["a.csv", "a.npy", "a.npz", "a.png", "a.jpg", "a.bmp"]), st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_data_error(refused, model, tmp_path_factory, name, content):
    file = tmp_path_factory.mktemp("fuzz") / name
    file.write_bytes(content)
    refused(model, file)


def test_json_lines_are_read_nested_flat_or_by_name(predict_file, model, pixels, expected, tmp_path):
    lines = [
        pixels[0].tolist(),
        pixels[1].ravel().tolist(),
        {"input": pixels[2, :, :, 0].tolist()},
        {"input": pixels[3].tolist(), "note": "other members are ignored"},
        pixels[4].astype(float).tolist(),
    ]
    text = "\n".join(map(json.dumps, lines))
    (tmp_path / "rows.jsonl").write_text(text)
    agree(predict_file(model, tmp_path / "rows.jsonl").rows, expected)
    agree(predict_file(model, Piped(io.BytesIO(text.encode()))).rows, expected)


def test_what_is_piped_may_be_a_csv(predict_file, refused, model, pixels, expected):
    agree(predict_file(model, Piped(io.BytesIO(csv(pixels, NAMES).encode()))).rows, expected)
    assert "standard input has no rows" in refused(model, Piped(io.BytesIO(b"")))
    assert "standard input" in refused(model, Piped(io.BytesIO(b"\xff\n")))


@pytest.mark.parametrize(
    "line", ["[1, 2]", '"a"', "[[1], [2, 3]]", "{}", '{"input": "a"}', "nonsense", "null"]
)
def test_a_json_line_that_is_no_image_names_its_row(refused, model, pixels, tmp_path, line):
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(pixels[0].tolist())}\n{line}\n")
    said = refused(model, tmp_path / "a.jsonl")
    assert "row 1 is" in said
    assert "row 0" not in said


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "images.idx3-ubyte.gz", "noend"])
def test_an_idx_file_is_read_by_its_first_bytes(
    predict_file, refused, model, pixels, expected, tmp_path, name
):
    content = b"\0\0\x08\x03" + np.array([5, 8, 8], ">u4").tobytes() + pixels.tobytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    agree(predict_file(model, tmp_path / name).rows, expected)
    (tmp_path / "cut.idx").write_bytes(content[:-1])
    assert "is truncated" in refused(model, tmp_path / "cut.idx")


def png(image):
    content = io.BytesIO()
    Image.fromarray(image[:, :, 0]).save(content, "png")
    return content.getvalue()


def test_a_parquet_column_of_images_is_read(predict_file, refused, model, pixels, expected, tmp_path):
    encoded = [png(image) for image in pixels]
    table = pa.table({"image": encoded, "label": list("abcde")})
    pq.write_table(table, tmp_path / "rows.parquet")
    agree(predict_file(model, tmp_path / "rows.parquet").rows, expected)
    pq.write_table(pa.table({"image": [*encoded, b"garbage", None]}), tmp_path / "bad.parquet")
    said = refused(model, tmp_path / "bad.parquet")
    assert "- 5 is not a readable image" in said
    assert "- 6 is not a readable image" in said
    pq.write_table(table.select(["label"]), tmp_path / "none.parquet")
    assert "0 columns of images" in refused(model, tmp_path / "none.parquet")


def test_every_damaged_image_of_a_folder_is_named(refused, model, pixels, tmp_path):
    Image.fromarray(pixels[0, :, :, 0]).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    (tmp_path / "c.jpg").write_bytes(b"garbage")
    said = refused(model, tmp_path)
    assert "a.png" not in said
    assert "b.png is not" in said
    assert "c.jpg is not" in said


def test_an_archive_that_promises_a_bomb_is_refused_unread(refused, model, tmp_path):
    header = io.BytesIO()
    shape = (5_000_000, 8, 8, 1)
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("input.npy", "w") as member,
    ):
        member.write(header.getvalue())
        for _ in range(5):
            member.write(bytes(64_000_000))
    assert "is taken for a bomb" in refused(model, tmp_path / "a.npz")


def test_an_archive_that_breaks_farther_on_says_after_which_row(predict_file, model, tmp_path, monkeypatch):
    monkeypatch.setattr(raw_arrays, "CHUNK_BYTES", 8 * 64 * 10)
    rows = np.random.default_rng(0).integers(0, 256, (4000, 8, 8, 1), np.uint8)
    np.savez(tmp_path / "a.npz", input=rows)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[-1000] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"a.npz: input cannot be read: .*after row 39\d0"):
        predict_file(model, tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.csv"])
def test_no_more_rows_are_held_than_a_batch_has(model, tmp_path, monkeypatch, name):
    monkeypatch.setattr(raw_arrays, "CHUNK_BYTES", 8 * 64 * 10)
    monkeypatch.setattr(raw_text, "MOST_CELLS", 640)
    rows = np.random.default_rng(0).integers(0, 256, (95, 8, 8, 1), np.uint8)
    match name:
        case "a.npy":
            np.save(tmp_path / name, rows)
        case "a.npz":
            np.savez_compressed(tmp_path / name, input=rows)
        case "a.csv":
            (tmp_path / name).write_text(csv(rows))
    predicting = Predicting(model, tmp_path / name)
    sizes = [len(batch.rows) for batch in predicting]
    assert sizes == [10] * 9 + [5]
    assert predicting.total == (None if name == "a.csv" else 95)


def test_unknown_names_that_are_as_many_as_the_rows_are_not_all_kept(table_file, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction, "MOST_NAMES", 3)
    lines = ["größe,day,colour,kind", *(f"1,1.6e9,new{at % 5},a" for at in range(10))]
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding="utf-8")
    predicting = Predicting(table_file, tmp_path / "a.csv")
    assert len(list(predicting)) == 1
    named, others = predicting.unknown()
    assert [(unknown.name, unknown.rows) for unknown in named] == [("new0", 2), ("new1", 2), ("new2", 2)]
    assert others == 4
