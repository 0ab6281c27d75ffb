"""Parameters and FLOP of a decoder-only transformer, counted from its shape."""

from dataclasses import dataclass

import pandas as pd

from scalekit.words import is_number, require

# FLOP in one petaflop/s-day: 1e15 FLOP/s for 86,400 s.
PF_DAY = 8.64e19

POSITIONS = ("none", "learned", "relative")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Shape of a decoder-only transformer, its parameter count and its FLOP per token.

    A number per token times ``D`` is ``C``. The rule of thumb ``C = 6 N D`` leaves out attention
    over the context, which moves published exponents, as does what ``N`` counts: embedding, head
    (arXiv:2001.08361, section 2.1 and Table 1; arXiv:2203.15556, Appendix F and Table A4).

    Parameters
    ----------
    layers, width, heads, vocab, context : int
        Blocks, residual width ``d_model``, heads; tokens in the vocabulary and in a sequence.
    ffw, kv : int, optional
        Widths of the feed-forward layer (else ``4 * width``) and of one head, keys, queries and
        values alike (else ``width / heads``, which must be whole).
    tied, biases : bool
        Whether the head reuses the embedding matrix: it then adds FLOP, but no parameters. Whether
        biases and layer-norm gains count too (well under 1 % of a model).
    positions : {"none", "learned", "relative"}
        ``learned`` adds a ``context x width`` table (GPT-2, GPT-3), ``relative`` one projection of
        ``width x heads*kv`` a layer (Transformer-XL, Chinchilla); rotary counts as ``none``.

    Notes
    -----
    How this misleads: these are multiply-adds of a dense model, two FLOP each. Gated feed-forward
    layers (three matrices, not two), grouped queries, experts and recomputed activations are not
    here. The embedding is counted as a multiplication by a one-hot vector (``2 vocab width``),
    which no implementation does, and attention over the whole context, though a causal mask needs
    half of it. Table A4 of Hoffmann et al. (`ratio` 1.03 at 73M to 0.99 at 6.8B) comes out to its
    printed digits with relative positions in ``N`` and with ``embedding=False, head=False``; their
    printed formulas, which count both, would give 1.58 at 73M.

    Examples
    --------
    >>> small = Shape(layers=12, width=768, heads=12, vocab=50257, context=1024,
    ...               positions="learned", biases=True)
    >>> f"{small.params:,}"
    '124,439,808'
    >>> [round(small.ratio(embedding=both, head=both), 2) for both in (True, False)]
    [1.46, 0.84]
    """

    layers: int
    width: int
    heads: int
    ffw: int | None = None
    kv: int | None = None
    vocab: int = 32_000
    context: int = 2048
    tied: bool = True
    positions: str = "none"
    biases: bool = False

    def __post_init__(self):
        for name in ("layers", "width", "heads", "vocab", "context"):
            self._hold(name, getattr(self, name))
        require(
            self.kv is not None or self.width % self.heads == 0,
            f"Shape: {self.heads} heads do not divide the width {self.width}; give kv, the "
            "width of one head, or another number of heads.",
        )
        self._hold("ffw", 4 * self.width if self.ffw is None else self.ffw)
        self._hold("kv", self.width // self.heads if self.kv is None else self.kv)
        require(
            self.positions in POSITIONS,
            f"Shape: positions = {self.positions!r} is unknown; use one of {', '.join(POSITIONS)}.",
        )

    def _hold(self, name, value):
        require(
            is_number(value) and value > 0 and value % 1 == 0,
            f"Shape: {name} = {value!r} is not a whole number above zero; give a count.",
        )
        object.__setattr__(self, name, int(value))

    @property
    def attention_width(self) -> int:
        """Width of all heads together, ``heads * kv`` (Kaplan's ``d_attn``)."""
        return self.heads * self.kv

    @property
    def non_embedding(self) -> int:
        """Parameters of the blocks: ``layers * (4 width heads kv + 2 width ffw)`` and extras."""
        d, h, f = self.width, self.attention_width, self.ffw
        block = (4 + (self.positions == "relative")) * d * h + 2 * d * f
        # biases of Q, K, V (3h), of the output projection (d), of the dense layers (f + d); two
        # norms, gain and shift (4d), and one more after the last block (2d)
        small = 3 * h + d + f + d + 4 * d
        return self.layers * (block + self.biases * small) + self.biases * 2 * d

    @property
    def embedding(self) -> int:
        """Parameters of the token embedding, and of learned positions."""
        return (self.vocab + self.context * (self.positions == "learned")) * self.width

    @property
    def head(self) -> int:
        """Parameters of the head of its own: 0 when it is tied to the embedding."""
        return 0 if self.tied else self.vocab * self.width

    @property
    def params(self) -> int:
        """All parameters: blocks, embedding and head."""
        return self.non_embedding + self.embedding + self.head

    def parts(self) -> pd.Series:
        """Forward FLOP per token of all layers, part by part (Hoffmann et al., Appendix F)."""
        d, h, t = self.width, self.attention_width, self.context
        return pd.Series(
            {
                "embedding": 2 * self.vocab * d,
                "qkv": self.layers * 6 * d * h,
                "logits": self.layers * 2 * t * h,
                "softmax": self.layers * 3 * t * self.heads,
                "reduction": self.layers * 2 * t * h,
                "projection": self.layers * 2 * h * d,
                "dense": self.layers * 4 * d * self.ffw,
                "head": 2 * d * self.vocab,
            },
            name="forward FLOP per token",
        )

    def flops(self, *, embedding: bool = True, head: bool = True, attention: bool = True) -> int:
        """Training FLOP per token: thrice the forward pass, the backward pass being twice as dear.

        With embedding, head and attention over the context (logits, softmax, reduction) it is
        Hoffmann's full count; without all three Kaplan's ``6 N``, N of the blocks.
        """
        left_out = ["embedding"] * (not embedding) + ["head"] * (not head)
        left_out += ["logits", "softmax", "reduction"] * (not attention)
        return 3 * int(self.parts().drop(left_out).sum())

    def kaplan_flops(self) -> int:
        """FLOP per token of Kaplan et al.: ``6 (N + layers context d_attn)``, N of the blocks."""
        return 6 * (self.non_embedding + self.layers * self.context * self.attention_width)

    def ratio(self, N: float | None = None, **counted: bool) -> float:
        """FLOP count over ``6 N``, with N all parameters unless given; `counted` as in `flops`."""
        N = self.params if N is None else N
        require(
            is_number(N) and N > 0, f"ratio: N = {N!r} is not above zero; give a parameter count."
        )
        return self.flops(**counted) / (6 * N)
