"""Public datasets, one file each: a module here with `DATASET` can be run by its file's name."""
