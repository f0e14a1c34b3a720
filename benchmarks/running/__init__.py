"""How a run is performed: its units, in which order, on which models, and how it ends and goes on."""
