"""The words of a pull request: title, body, commits, remarks on lines. Made of a bundle; knows no forge, and decides nothing."""
