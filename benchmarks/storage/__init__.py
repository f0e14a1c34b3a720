"""How a run lies on a disk: rows, outcomes, the journal, one packed file, and disks that take no more."""
