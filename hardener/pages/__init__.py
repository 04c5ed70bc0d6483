"""What there is to say about a rule: its docstring, read; its sources; how it ends; an example that is judged while you wait."""
