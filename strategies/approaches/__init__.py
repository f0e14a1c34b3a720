"""The approaches, one file each: a module here with `CANDIDATES` takes part in every comparison."""
