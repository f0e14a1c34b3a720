"""Advice from a description alone, before anything has run."""
