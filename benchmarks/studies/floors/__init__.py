"""Floors: what each approach is to reach on held-out cases that nobody looked at while it was built."""
