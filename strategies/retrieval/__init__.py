"""Finding passages and examples."""
