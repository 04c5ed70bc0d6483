"""What people let be: comments beside what is found, waivers of the configuration, a baseline. Knows no hazard."""
