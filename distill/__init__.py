"""The top floor: the distillation engine and its command."""
