"""Counts of flops.py against the shapes and sizes that the papers print."""

import pytest

from scalekit.answers.flops import PF_DAY, Shape

# Hoffmann et al. 2022, Table A9: size in millions: width, feed-forward, head width, heads, layers
TABLE_A9 = {
    44: (512, 2048, 64, 8, 8),
    74: (640, 2560, 64, 10, 10),
    140: (768, 3072, 64, 12, 15),
    306: (1024, 4096, 64, 16, 20),
    552: (1280, 5120, 128, 10, 24),
    587: (1408, 5632, 128, 11, 21),
    1143: (1792, 7168, 128, 14, 26),
    1593: (2048, 8192, 128, 16, 28),
    2639: (2560, 10240, 128, 20, 30),
    3530: (2688, 10752, 128, 22, 36),
    6796: (3584, 14336, 128, 28, 40),
    9293: (4096, 16384, 128, 32, 42),
    12569: (4608, 18432, 128, 32, 47),
    16183: (5120, 20480, 128, 40, 47),
}
TABLE_A4 = {74: 1.03, 306: 1.10, 552: 1.08, 1143: 1.04, 1593: 1.03, 6796: 0.99}


def chinchilla(size, **options):
    width, ffw, kv, heads, layers = TABLE_A9[size]
    return Shape(
        layers=layers,
        width=width,
        ffw=ffw,
        kv=kv,
        heads=heads,
        vocab=32_000,
        context=2048,
        **options,
    )


@pytest.mark.parametrize("size", TABLE_A9)
def test_table_a9_sizes(size):
    # printed in whole millions (half a million is the rounding); the table does not say which
    # biases and norms count, so the printed size lies between the counts without and with all of
    # them, 0.04 % apart at most in large models
    bare, full = (
        chinchilla(size, positions="relative", biases=b).params / 1e6 for b in (False, True)
    )
    assert bare - 0.5 <= size <= full + 0.5


@pytest.mark.parametrize("size", TABLE_A4)
def test_table_a4_ratios(size):
    # printed to two decimals: half of the last is the rounding
    shape = chinchilla(size, positions="relative")
    assert shape.ratio(embedding=False, head=False) == pytest.approx(TABLE_A4[size], abs=0.005)
    assert shape.ratio() > shape.ratio(embedding=False) > shape.ratio(embedding=False, head=False)


def test_gpt2_small_exactly():
    shape = Shape(
        layers=12, width=768, heads=12, vocab=50257, context=1024, positions="learned", biases=True
    )
    assert shape.params == 124_439_808  # the count of the released checkpoint
    assert shape.embedding == 50257 * 768 + 1024 * 768


def test_gpt3():
    shape = Shape(
        layers=96,
        width=12288,
        heads=96,
        vocab=50257,
        context=2048,
        positions="learned",
        biases=True,
    )
    assert shape.kv == 128
    assert shape.params == pytest.approx(175e9, rel=0.5 / 175)  # printed in whole billions
    assert shape.flops() == pytest.approx(
        6 * shape.params, rel=0.05
    )  # at 175B the rule is good to a few per cent


def test_identities():
    shape = Shape(layers=10, width=640, heads=10)
    assert shape.ffw == 2560
    assert shape.non_embedding == 12 * 10 * 640**2
    assert shape.params == shape.non_embedding + shape.embedding + shape.head
    assert shape.head == 0
    assert Shape(layers=10, width=640, heads=10, tied=False).head == 32_000 * 640
    # without the context, the embedding and the head what is left is exactly 6 N over the blocks
    assert shape.flops(embedding=False, head=False, attention=False) == 6 * shape.non_embedding
    assert shape.kaplan_flops() == 6 * shape.non_embedding + 6 * 10 * 2048 * 640
    assert shape.flops() == 3 * shape.parts().sum()
    assert shape.ratio(shape.params) == shape.ratio()
    assert PF_DAY == 1e15 * 86_400


def test_six_nd_gets_better_with_size():
    ratios = [chinchilla(n, positions="relative").ratio() for n in TABLE_A4]
    assert ratios == sorted(ratios, reverse=True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": 2.5},
        {"layers": 0},
        {"width": -8},
        {"vocab": "many"},
        {"context": True},
        {"ffw": 0},
        {"kv": 1.5},
        {"heads": float("nan")},
        {"heads": float("inf")},
        {"width": "64"},
        {"layers": None},
        {"vocab": 0},
    ],
)
def test_refuses_sizes(wrong):
    name = next(iter(wrong))
    with pytest.raises(ValueError, match=f"{name} = .* is not a whole number above zero"):
        Shape(**{"layers": 2, "width": 64, "heads": 4} | wrong)


def test_refuses_the_rest():
    with pytest.raises(ValueError, match="5 heads do not divide the width 64"):
        Shape(layers=2, width=64, heads=5)
    assert Shape(layers=2, width=64, heads=5, kv=16).attention_width == 80
    with pytest.raises(ValueError, match="positions = 'rotten' is unknown"):
        Shape(layers=2, width=64, heads=4, positions="rotten")
    for N in (0, -1, float("nan"), "many"):
        with pytest.raises(ValueError, match=f"N = {N!r} is not above zero"):
            Shape(layers=2, width=64, heads=4).ratio(N)


def test_defaults():
    shape = Shape(layers=1, width=8, heads=2)
    assert (shape.ffw, shape.kv, shape.vocab, shape.context) == (32, 4, 32_000, 2048)
    assert (shape.tied, shape.positions, shape.biases) == (True, "none", False)
    # one is a size
    assert Shape(layers=1, width=1, heads=1, ffw=1, kv=1, vocab=1, context=1).params == 4 + 2 + 1
    with pytest.raises(TypeError, match="positional"):
        Shape(1, 8, 2)
    # whole floats are sizes, and held as int
    assert isinstance(Shape(layers=2.0, width=64, heads=4).layers, int)


def test_each_part_by_hand():
    shape = Shape(layers=3, width=10, heads=2, ffw=7, kv=4, vocab=11, context=13, tied=False)
    # attention is 2 heads of 4 wide
    assert shape.parts().to_dict() == {
        "embedding": 2 * 11 * 10,
        "qkv": 3 * 2 * 3 * 10 * 8,
        "logits": 3 * 2 * 13 * 8,
        "softmax": 3 * 3 * 2 * 13,
        "reduction": 3 * 2 * 13 * 8,
        "projection": 3 * 2 * 8 * 10,
        "dense": 3 * 2 * 2 * 10 * 7,
        "head": 2 * 10 * 11,
    }
    parts = shape.parts()
    over_context = parts[["logits", "softmax", "reduction"]].sum()
    assert shape.flops() == 3 * parts.sum()
    assert shape.flops(embedding=False) == 3 * (parts.sum() - 220)
    assert shape.flops(head=False) == 3 * (parts.sum() - 220)
    assert shape.flops(attention=False) == 3 * (parts.sum() - over_context)
    assert shape.kaplan_flops() == 6 * (shape.non_embedding + 3 * 13 * 8)
    assert shape.ratio() == shape.flops() / (6 * shape.params)
    assert shape.ratio(1) == shape.flops() / 6
    assert shape.ratio(1e3, head=False) == shape.flops(head=False) / 6e3
    assert shape.params == shape.non_embedding + 2 * 110


def test_each_extra_by_hand():
    sizes = {"layers": 3, "width": 10, "heads": 2, "ffw": 7, "kv": 4, "vocab": 11, "context": 13}
    bare = Shape(**sizes)
    assert bare.non_embedding == 3 * (4 * 10 * 8 + 2 * 10 * 7)
    assert Shape(**sizes, positions="relative").params == bare.params + 3 * 10 * 8
    learned = Shape(**sizes, positions="learned")
    assert learned.embedding == bare.embedding + 13 * 10
    assert learned.non_embedding == bare.non_embedding
    # Q, K, V; output projection; dense layers; two norms of gain and shift; the last norm
    small = 3 * (3 * 8 + 10 + (7 + 10) + 2 * 2 * 10) + 2 * 10
    assert Shape(**sizes, biases=True).params == bare.params + small
