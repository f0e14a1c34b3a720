"""Where units of work run: in this process, in several on this machine, or on a cluster. Who runs a comparison writes alone."""
