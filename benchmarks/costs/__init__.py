"""What things cost: prices of tokens and hours, what may be paid, and what a run will need."""
