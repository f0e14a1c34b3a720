"""What comes after a verdict: exports, answers to new requests, and the gate of a build."""
