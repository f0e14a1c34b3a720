"""What is wrong with data, in sentences, before anything is spent on it."""
