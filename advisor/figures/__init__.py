"""The figures of a story as values, one module a figure: what they say is settled here, formats only draw it."""
