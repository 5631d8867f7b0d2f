"""k-means clustering with approximate nearest neighbours."""
