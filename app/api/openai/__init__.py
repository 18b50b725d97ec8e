"""OpenAI's own shapes for what the tasks do: fields, answers and stream events as OpenAI's clients know them."""
