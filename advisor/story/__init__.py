"""The answer told once: sentences, tables and facts that every format lays out."""
