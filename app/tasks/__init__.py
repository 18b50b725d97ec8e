"""The media tasks: a task's instruction and schema for the model, and pure post-processing of the answer."""
