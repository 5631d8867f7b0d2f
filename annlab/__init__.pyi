# The public names of annlab: what users call, then the modules that are reached as attributes.

from annlab import applications as applications
from annlab import benchmarks as benchmarks
from annlab import classroom as classroom
from annlab import datasets as datasets
from annlab import distances as distances
from annlab import export as export
from annlab import indexes as indexes
from annlab import initialization as initialization
from annlab import metrics as metrics
from annlab import parallel as parallel
from annlab import plotting as plotting
from annlab import robust as robust
from annlab import widgets as widgets
from annlab._support.errors import AnnlabWarning as AnnlabWarning
from annlab._support.errors import MissingExtraError as MissingExtraError
from annlab.applications import cluster_documents as cluster_documents
from annlab.applications import segment_image as segment_image
from annlab.benchmarks import accuracy_speed_tradeoff as accuracy_speed_tradeoff
from annlab.benchmarks import benchmark_ann as benchmark_ann
from annlab.benchmarks import benchmark_high_dim as benchmark_high_dim
from annlab.benchmarks import benchmark_kmeans as benchmark_kmeans
from annlab.benchmarks import benchmark_kmeans_ann as benchmark_kmeans_ann
from annlab.benchmarks import recall_speed_curve as recall_speed_curve
from annlab.clustering import kmeans as kmeans
from annlab.clustering import kmeans_ann as kmeans_ann
from annlab.estimator import KMeansANN as KMeansANN
from annlab.faiss_kmeans import kmeans_faiss as kmeans_faiss
from annlab.fit.choose import available_algorithms as available_algorithms
from annlab.indexes import available_indexes as available_indexes
from annlab.indexes import make_index as make_index
from annlab.metrics import evaluate_clustering as evaluate_clustering
from annlab.metrics import scan_n_clusters as scan_n_clusters
from annlab.parallel import assign_points_to_clusters as assign_points_to_clusters
from annlab.parallel import parallel_kmeans_ann as parallel_kmeans_ann
from annlab.plotting import visualize_clusters as visualize_clusters
from annlab.result import KMeansResult as KMeansResult
from annlab.result import Step as Step
from annlab.result import Trace as Trace
from annlab.robust import robust_kmeans_ann as robust_kmeans_ann

__version__: str
