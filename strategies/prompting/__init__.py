"""Prompts: how a request is laid out."""
