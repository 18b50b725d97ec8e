"""What a task asks of a model, and what becomes of the answer: instruction, schema, pure post-processing."""
