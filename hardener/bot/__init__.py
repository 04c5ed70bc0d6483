"""The bot: what a report proposes becomes pull requests. Reads reports and never judges files itself."""
