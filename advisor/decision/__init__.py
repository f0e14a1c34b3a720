"""From evaluations to a recommendation: goals, bounds, limits, and who is named."""
