"""The study of peers: each kind of approach beside the tool that is dedicated to it, on the same model and cases."""
