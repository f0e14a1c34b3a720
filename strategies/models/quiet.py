"""Silences the progress bars and advice of transformers and huggingface_hub while a model is fetched or loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet() -> Iterator[None]:
    """Errors still come through as exceptions; the settings found before are put back afterwards."""
    from transformers.utils import logging as transformers_logging

    logging: Any = transformers_logging
    with quiet_hub():
        verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if bars:
                logging.enable_progress_bar()


@contextmanager
def quiet_hub() -> Iterator[None]:
    """The same for what fetches files alone, which takes no transformers."""
    from huggingface_hub import utils as hub_utils

    hub: Any = hub_utils
    bars = not hub.are_progress_bars_disabled()
    hub.disable_progress_bars()
    try:
        yield
    finally:
        if bars:
            hub.enable_progress_bars()
