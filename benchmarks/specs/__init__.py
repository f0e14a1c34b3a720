"""A task as a person writes it: read, checked, proposed, and what it leaves open inferred."""
