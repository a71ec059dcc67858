"""Model distillation: large encoders of speech and of text, and what is learned from them."""
