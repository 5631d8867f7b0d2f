"""k-means at large k: start from a tree, then compare with near centroids.

BLAS cannot be beaten on rate, only on work: a point that was near a centroid is, after one update,
near that centroid or one of its neighbours. So an iteration compares each point with about a
hundred centroids instead of k, in products large enough for BLAS to run at full speed.

`algorithm` puts four stages together, each of them a module:

1. `tree`: √k coarse groups, each of which gets its share of the k children (hierarchical
   k-means, but with k known: Nistér & Stewénius 2006, doi 10.1109/CVPR.2006.264).
2. `neighbours`: blocks of about 16 neighbouring centroids share their nearest candidates. The
   restriction to a centroid's neighbours is that of k²-means (Agustsson et al. 2016,
   arXiv 1605.09299); the blocks make it fast.
3. `relocation`: centroids that are hardly needed move to where one centroid serves too many points
   ("breathing k-means", Fritzke 2020, arXiv 2006.15666).
4. `samples`: at high intrinsic dimension every centroid is about as far as every other, and a tree
   separates points that belong together. There the start is k-means on a sample, and all points
   are compared with all centroids once.
"""
