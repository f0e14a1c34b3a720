"""Where models come from and how they answer."""
