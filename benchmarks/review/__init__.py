"""What a person finds wrong with data: sheets to go through, the copy that comes of them, and what labels allow."""
