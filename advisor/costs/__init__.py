"""What each candidate costs ahead, at which volume or price another is the cheapest, and whether finding out pays."""
