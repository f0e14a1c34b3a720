"""Approaches that answer: prompting, retrieval, fine-tuning, their combination, and rungs without a language model."""
