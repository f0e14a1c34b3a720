"""What so many cases prove: bounds, tests, families of candidates, stopping, looks, and how many cases it takes."""
