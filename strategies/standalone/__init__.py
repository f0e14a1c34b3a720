"""Programs that an export takes along: each runs without this product."""
