"""What each probe found, told: one module for each, with its table and its sentences."""
