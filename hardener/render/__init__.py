"""Report in, text out: one module per form. Pure; nothing here reads, prints or decides."""
