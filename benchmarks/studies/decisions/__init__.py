"""How often the verdict is wrong, and how often it is given at all: held-out sets drawn from rows whose truth is known."""
