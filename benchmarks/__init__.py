"""Measuring: tasks, metrics, statistics, and the runner that holds the held-out cases."""
