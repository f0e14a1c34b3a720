"""Faults on purpose: processes killed at random moments, writes that fail, servers that misbehave; and what is lost by it."""
