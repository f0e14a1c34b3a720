"""From a task or a stored run to a verdict, and runs beside each other: what commands and the Python API share."""
