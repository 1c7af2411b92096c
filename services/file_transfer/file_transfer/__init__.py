"""Takes files in and gives them out again, by the two lines of curl that users know."""
