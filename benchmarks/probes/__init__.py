"""What is asked of a fitted candidate besides its held-out cases, one unit of work each."""
