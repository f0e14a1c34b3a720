"""The study of faulty data: known faults are planted into public and bundled data, and what is found of them is counted."""
