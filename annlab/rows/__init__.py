"""Where the data lies: in memory, in blocks of a file, in a Dask collection."""
