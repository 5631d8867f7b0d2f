"""k-means at large k: a tree to start from, then assignment among neighbouring centroids only.

BLAS cannot be beaten on rate, only on work: a point that was near a centroid is, after one update,
near that centroid or one of its neighbours. So an iteration compares each point with about a
hundred centroids instead of k, in products large enough for BLAS to run at full speed.

Four stages, each a module that can be read alone; `algorithm` puts them together:

1. `tree`: √k coarse groups, each of which gets its share of the k children (hierarchical
   k-means, but with k known: Nistér & Stewénius 2006, doi 10.1109/CVPR.2006.264).
2. `neighbours`: blocks of about 16 neighbouring centroids share the
   candidates that lie nearest to any of them. The restriction to a centroid's neighbours is that
   of k²-means (Agustsson et al. 2016, arXiv 1605.09299); the blocks are what makes it fast.
3. `relocation`: centroids that nobody would miss move to where one centroid serves too many (the
   idea of "breathing k-means", Fritzke 2020, arXiv 2006.15666).
4. `samples`: where every centroid is about as far as every other (high intrinsic
   dimension), a tree separates points that belong together. There the start is k-means on a
   sample, and all points are compared with all centroids once.
"""
