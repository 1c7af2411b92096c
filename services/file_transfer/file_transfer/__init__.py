"""A service that stores files and sends them back, over HTTP."""
