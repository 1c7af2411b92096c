"""Command-line client for uploading and downloading files over unreliable connections."""
