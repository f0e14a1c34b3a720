"""From stored answers to evaluations, without any model: scores, mistakes, evidence, guards and cascades."""
