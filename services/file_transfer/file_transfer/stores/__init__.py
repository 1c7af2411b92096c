"""The chunk stores: a directory, SeaweedFS's volume servers, a bucket."""
