"""Scale: the same run on more workers, measured as far as this machine goes and simulated from there."""
