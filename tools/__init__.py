"""What people and CI run on a change before it goes in."""
