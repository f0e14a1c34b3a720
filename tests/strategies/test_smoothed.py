"""Label smoothing over the answers that there are: nothing but forks is smoothed, and the gradient is that of soft targets."""

from __future__ import annotations

import pytest
import torch

from strategies.finetuning.packs import Encoded
from strategies.finetuning.smoothed import Targets, with_others

END = 9
"""Of a turn."""
ROWS = [
    Encoded((1, 2, 5, 6, END), 2),
    Encoded((3, 5, 7, 8, END), 1),
    Encoded((1, 1, 1, 4, END), 3),
]
"""Prompts, and the answers 5 6, 5 7 8 and 4."""


def test_at_a_fork_each_way_has_a_share_and_elsewhere_the_only_one_is_certain() -> None:
    first, second, third = with_others(ROWS, ROWS)
    assert first.others == ((4,), (7,), ())
    assert second.others == ((4,), (6,), (), ())
    assert third.others == ((5,), ())
    tokens, shares = Targets.of([first, second, third], 0.1, "cpu")
    assert tokens[:, 0].tolist() == [5, 6, END, 5, 7, 8, END, 4, END]
    assert tokens[0].tolist() == [5, 4]
    assert shares.sum(1).tolist() == pytest.approx([1.0] * 9)
    assert [bool(share < 1) for share in shares[:, 0]] == [True, True, False, True, True, False, False, True, False]
    assert shares[0].tolist() == pytest.approx([0.95, 0.05])


def test_rows_that_are_not_learnt_from_have_the_forks_of_those_that_are() -> None:
    """A validation row's own answer may be one that nothing taught."""
    (held,) = with_others([Encoded((1, 5, 8, END), 1)], ROWS)
    assert held.others == ((4,), (6, 7), ())


def test_answers_that_a_prompt_shows_have_forks_too() -> None:
    shown = Encoded((1, 5, 6, END, 2, 4, END), 5, earlier=((1, 4),))
    (row,) = with_others([shown], [*ROWS, shown])
    assert row.others == ((4,), (7,), (), (5,), ())


def test_without_smoothing_there_is_one_target_a_token() -> None:
    tokens, shares = Targets.of(ROWS, 0.0, "cpu")
    assert tokens.shape == shares.shape == (9, 1)
    assert torch.equal(shares, torch.ones(9, 1))
