"""Floors: what each approach is to reach on held-out cases that no language model was asked while it was built."""
