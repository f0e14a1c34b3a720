"""From files to cases and documents, cut into sides that are compared, and frozen."""
