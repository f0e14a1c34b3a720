"""LoRA adapters: training, saving, merging, proving."""
