"""Networks for sequences: their weights counted against closed forms and PyTorch's, and what they compute."""

from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from distillery.data.form import Series, Shape, Table, Tokens
from distillery.errors import ParamsError
from distillery.models.families import Family, cannot_train_aware, require_fitting
from distillery.models.layers import Network
from distillery.models.mlp import Mlp
from distillery.models.network import Classifier, count_parameters, load_model, save_model
from distillery.models.points import points
from distillery.models.recurrent import Gru, Lstm
from distillery.models.sequence_encoding import FARTHEST, SeriesEncoding, TokenEncoding
from distillery.models.sequence_layers import SelfAttention
from distillery.models.sequence_modules import AttentionBlock
from distillery.models.transformer import Transformer
from distillery.pruning.masks import prunable

SERIES = Series(length=9, channels=3)
TOKENS = Tokens(length=7, vocabulary=20)
IMAGE = Shape(height=4, width=4, channels=1)
PERCEPTRON = Mlp(family="mlp", hidden=(), dropout=0.0)
CLASSES = 4


def cells(family=Lstm, layers=1, width=8, both_ways=False, embed=None, dropout=0.0):
    name = family.__name__.lower()
    return family(family=name, layers=layers, width=width, both_ways=both_ways, embed=embed, dropout=dropout)


def transformer(layers=2, width=8, heads=2, feed_forward=12, dropout=0.0):
    return Transformer(
        family="transformer",
        layers=layers,
        width=width,
        heads=heads,
        feed_forward=feed_forward,
        dropout=dropout,
    )


FAMILIES = (
    cells(embed=5),
    cells(Gru, layers=2, both_ways=True, embed=5, dropout=0.2),
    transformer(dropout=0.2),
)


def rows_of(form, count=6, seed=0):
    random = torch.Generator().manual_seed(seed)
    if isinstance(form, Tokens):
        return torch.randint(form.vocabulary, (count, form.length), generator=random, dtype=torch.int32)
    return torch.randn(count, form.length, form.channels, generator=random)


def head(inputs):
    return inputs * CLASSES + CLASSES


@pytest.mark.parametrize(("family", "gates", "cell"), [(Lstm, 4, nn.LSTM), (Gru, 3, nn.GRU)])
@pytest.mark.parametrize(("layers", "both_ways"), [(1, False), (1, True), (3, False), (2, True)])
def test_cells_have_the_weights_of_the_closed_form_and_of_pytorch(family, gates, cell, layers, both_ways):
    """gates * (h (d + h) + 2 h) a layer and direction; Hochreiter, Schmidhuber 1997 and Cho et al. 2014."""
    d, h, ways = SERIES.channels, 8, 1 + both_ways
    model = Classifier(cells(family, layers, h, both_ways).network(SERIES, CLASSES))
    inputs = [d, *[ways * h] * (layers - 1)]
    closed = sum(ways * gates * (h * (i + h) + 2 * h) for i in inputs)
    assert count_parameters(model) == closed + head(ways * h)
    assert closed == count_parameters(cell(d, h, layers, bidirectional=both_ways))


def test_an_embedding_has_a_vector_a_token_or_is_a_linear_map_of_numbers():
    h, e, lstm = 8, 5, cells(embed=5)
    own = 4 * (h * (e + h) + 2 * h) + head(h)
    assert count_parameters(Classifier(lstm.network(TOKENS, CLASSES))) == 20 * e + own
    assert count_parameters(Classifier(lstm.network(SERIES, CLASSES))) == 3 * e + e + own


@pytest.mark.parametrize("layers", [1, 3])
def test_a_transformer_has_the_weights_of_the_closed_form_and_of_pytorch(layers):
    """4 w (w + 1) + 2 f w + f + w + 4 w a block (Vaswani et al. 2017, table 1 and section 3)."""
    w, f, heads = 8, 12, 2
    block = 4 * w * (w + 1) + 2 * f * w + f + w + 4 * w
    model = Classifier(transformer(layers, w, heads, f).network(TOKENS, CLASSES))
    assert count_parameters(model) == 20 * w + 7 * w + layers * block + 2 * w + head(w)
    assert block == count_parameters(nn.TransformerEncoderLayer(w, heads, f))


def test_the_base_encoder_of_the_paper_has_the_weights_that_are_told_of_it():
    """Six blocks of 512 and 2048: 3,152,384 each, 18.9 million together, without its vocabulary."""
    block = AttentionBlock(SelfAttention(width=512, heads=8, feed_forward=2048), 0.0)
    assert count_parameters(block) == 3_152_384
    assert 6 * count_parameters(block) == 18_914_304


def as_pytorch(block, width, heads, feed_forward):
    """PyTorch's own layer with the weights of a block."""
    other = nn.TransformerEncoderLayer(
        width, heads, feed_forward, dropout=0.0, batch_first=True, norm_first=True
    )
    named = {
        "self_attn.in_proj_weight": block.project_in.weight, "self_attn.in_proj_bias": block.project_in.bias,
        "self_attn.out_proj.weight": block.project_out.weight,
        "self_attn.out_proj.bias": block.project_out.bias,
        "linear1.weight": block.widen.weight, "linear1.bias": block.widen.bias,
        "linear2.weight": block.narrow.weight, "linear2.bias": block.narrow.bias,
        "norm1.weight": block.attention_norm.weight, "norm1.bias": block.attention_norm.bias,
        "norm2.weight": block.forward_norm.weight, "norm2.bias": block.forward_norm.bias,
    }  # fmt: skip
    other.load_state_dict(named)
    return other.train()  # its eval mode takes a path of its own


@pytest.mark.parametrize("padded", [False, True])
def test_a_block_computes_what_pytorchs_encoder_layer_does(padded):
    torch.manual_seed(0)
    block = AttentionBlock(SelfAttention(width=12, heads=3, feed_forward=20), 0.0)
    for parameter in block.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    x = torch.randn(4, 7, 12)
    keep = torch.arange(7)[None, :] < torch.tensor([7, 3, 1, 5])[:, None] if padded else None
    theirs = as_pytorch(block, 12, 3, 20)(x, src_key_padding_mask=None if keep is None else ~keep)
    torch.testing.assert_close(block(x, keep), theirs)


def test_the_mean_over_steps_is_that_of_the_cells_outputs():
    torch.manual_seed(0)
    model = Classifier(cells(Gru).network(SERIES, CLASSES)).eval()
    steps, dense = model.layers[0], model.layers[1].dense
    x = rows_of(SERIES)
    torch.testing.assert_close(model(x), dense(steps.body[0].cells(x)[0].mean(1)))


@pytest.mark.parametrize("form", [SERIES, TOKENS])
@pytest.mark.parametrize("family", FAMILIES)
def test_raw_sequences_give_one_logit_a_class_and_survive_a_save(family, form, tmp_path):
    torch.manual_seed(0)
    model = Classifier(family.network(form, CLASSES)).eval()
    logits = model(rows_of(form))
    assert (logits.shape, logits.dtype) == ((6, CLASSES), torch.float32)
    save_model(model, tmp_path)
    again = load_model(tmp_path)
    assert again.network == model.network
    assert torch.equal(again(rows_of(form)), logits)
    assert Network.model_validate_json(model.network.model_dump_json()) == model.network
    assert [point.size for point in points(model.network).values()] == [(model.network.layers[0].outputs,)]


def test_padding_at_the_end_changes_nothing_of_a_transformer_nor_of_cells_that_read_forwards():
    longer = TOKENS.model_copy(update={"length": 10})
    ids = rows_of(TOKENS).clamp_min(1)
    for family in (cells(embed=5), cells(Gru, embed=5), transformer()):
        torch.manual_seed(0)
        short = Classifier(family.network(TOKENS, CLASSES)).eval()
        long = Classifier(family.network(longer, CLASSES)).eval()
        state = short.state_dict()
        if "layers.0.positions.vectors" in state:
            state["layers.0.positions.vectors"] = torch.cat(
                [state["layers.0.positions.vectors"], torch.randn(3, 8)]
            )
        long.load_state_dict(state)
        torch.testing.assert_close(long(torch.nn.functional.pad(ids, (0, 3))), short(ids))


def test_a_row_of_padding_alone_gives_numbers():
    for family in FAMILIES:
        model = Classifier(family.network(TOKENS, CLASSES)).eval()
        assert torch.isfinite(model(torch.zeros(2, 7, dtype=torch.int32))).all()


def test_an_id_outside_of_the_vocabulary_counts_as_padding():
    encoding = TokenEncoding(Tokens(length=4, vocabulary=20))
    assert encoding(torch.tensor([[19, 20, -1, 2**31 - 1]], dtype=torch.int32)).tolist() == [[19, 0, 0, 0]]


def test_a_series_is_normalised_by_channel_and_ends_where_no_network_knows_what_lies_beyond():
    encoding = SeriesEncoding(Series(length=1, channels=3))
    encoding.normalise_by(torch.tensor([10.0, 0.0, 5.0]), torch.tensor([2.0, 1.0, 0.0]))
    assert encoding(torch.tensor([[[12.0, 1e9, 5.0]]])).tolist() == [[[1.0, FARTHEST, 0.0]]]


def test_dropout_acts_only_while_training():
    torch.manual_seed(0)
    for family in FAMILIES[1:]:
        model, rows = Classifier(family.network(SERIES, CLASSES)), rows_of(SERIES)
        assert not torch.equal(model.train()(rows), model(rows))
        assert torch.equal(model.eval()(rows), model(rows))


def test_what_may_be_pruned_are_the_matrices_that_multiply():
    names = set(prunable(Classifier(cells(embed=5).network(TOKENS, CLASSES))))
    assert names == {"layers.0.body.0.cells.weight_ih_l0", "layers.0.body.0.cells.weight_hh_l0", "layers.1"}
    names = set(prunable(Classifier(transformer(layers=1).network(SERIES, CLASSES))))
    inside = {"project_in", "project_out", "widen", "narrow"}
    assert names == {"layers.0.embed.weight", "layers.1", *(f"layers.0.body.0.{n}.weight" for n in inside)}


@pytest.mark.parametrize(
    ("family", "form", "said"),
    [
        (cells(), IMAGE, "lstm reads sequences, and these rows are images of 4 x 4 x 1"),
        (transformer(), IMAGE, "transformer reads sequences"),
        (cells(Gru), TOKENS, "gru reads token ids by a vector each: embed says how wide"),
        (PERCEPTRON, TOKENS, "mlp reads numbers, and these rows are token ids"),
    ],
)
def test_rows_that_a_family_cannot_read_are_refused_with_why(family, form, said):
    assert said in family.refusal(form)
    with pytest.raises(ParamsError, match="reads"):
        family.network(form, CLASSES)


def test_what_is_said_to_use_instead_reads_the_sequences(root):
    from distillery.models.families import OF_SEQUENCES
    from distillery.params.project import parse_setting

    family = TypeAdapter(Family).validate_python(parse_setting(f"x={OF_SEQUENCES}")["x"])
    with pytest.raises(ParamsError) as caught:
        require_fitting({"student.model": PERCEPTRON}, TOKENS)
    assert OF_SEQUENCES in caught.value.faults[0]
    require_fitting({"student.model": family}, TOKENS)
    require_fitting({"student.model": family}, SERIES)


def test_a_perceptron_reads_all_numbers_of_a_series_at_once():
    model = Classifier(Mlp(family="mlp", hidden=(6,), dropout=0.0).network(SERIES, CLASSES))
    assert count_parameters(model) == 27 * 6 + 6 + head(6)
    assert model(rows_of(SERIES)).shape == (6, CLASSES)


@pytest.mark.parametrize(
    "block",
    [
        {"family": "transformer", "layers": 1, "width": 8, "heads": 3, "feed_forward": 8, "dropout": 0},
        {"family": "lstm", "layers": 0, "width": 8, "both_ways": False, "embed": None, "dropout": 0},
        {"family": "gru", "layers": 1, "width": 8, "both_ways": False, "dropout": 0},
    ],
)
def test_a_block_that_names_no_legal_network_is_refused(block):
    with pytest.raises(ValidationError):
        TypeAdapter(Family).validate_python(block)


def test_networks_of_sequences_are_not_trained_aware_of_rounding():
    assert all("quantize.qat" in cannot_train_aware(family) for family in FAMILIES)
    assert cannot_train_aware(PERCEPTRON) is None


def test_a_table_is_no_sequence():
    with pytest.raises(ValidationError):
        Table.model_validate(SERIES.model_dump())
