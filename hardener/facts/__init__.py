"""What a project asks for: containers, stages and images, read from its files."""
