"""How quick the engine, the training and a whole bake-off are, each beside a named peer or the machine's own limit."""
