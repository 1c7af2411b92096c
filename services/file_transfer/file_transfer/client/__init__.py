"""The command line client: files to the cluster and back, whatever happens to the connection in between."""
