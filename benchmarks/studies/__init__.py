"""Programs about the product: they may import everything, nothing imports them, and they are not in the wheel."""
