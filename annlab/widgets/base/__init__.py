"""What all explorers share: stepping, computing, drawing and sharing.

An explorer is a picture, one sentence that says what the picture shows, and controls. To write
one, subclass `Explorer` in a module ``annlab/widgets/_<name>.py``, export the function ``<name>``
from it, and add one line to ``annlab/widgets/__init__.pyi``::

    class RadiusExplorer(Explorer):
        name = "radius_explorer"               # the public function, and the head of the state
        title = "How many neighbours lie within a radius?"
        size = (840, 400)                      # CSS pixels; fixed, so that nothing jumps

        def __init__(self, X, *, predict=None):
            self.X = check_data(X)             # plain attributes first, then:
            super().__init__(
                [slider("radius", "Radius r", "Distance up to which points count", 0.0, 1.0, 0.5)],
                predict=predict,
            )

        def compute(self, job, radius):        # keyword = name of the control
            job.report(0, 1)                   # progress; also where Stop takes effect
            return count_neighbors(self.X, radius)   # call the library: no algorithm in a widget

        def draw(self, figure, result, frame, radius):
            axes = plane(figure.subplots(), self.limits)
            scatter_clusters(axes, self.X, result)

        def sentence(self, result, frame, radius):
            return f"radius {three(radius)}, {result.sum():,} pairs of neighbours"

    def radius_explorer(X, *, predict=None):
        \"\"\"numpydoc, with a runnable example.\"\"\"
        return RadiusExplorer(X, predict=predict)

    def example():                             # small and fast: every test runs over it
        return radius_explorer(make_uniform_cube(50, 2, random_state=0))

**Replay.** Set ``replay = True`` and override ``frame_count(result)``: the explorer then has step
buttons, a speed, a scrubber and a number field, and ``frame`` counts from 0. ``frame_word`` names
a frame ("iteration"). ``compute`` runs once for all frames; they are drawn on demand and kept.
``animated = False`` leaves out Run and the speed.

**Compute.** A change of a control calls ``compute``. Results are kept by their values. With
``slow = True`` a progress bar and a Stop button appear after 0.3 s: call
``job.report(done, total, "text")`` often, or pass ``callback=job.callback(total)`` to a fit. A
control that is not a parameter of ``compute`` only redraws. `compute`, `draw` and `sentence` run
in worker threads: they must not write to ``self``.

**Threads.** Computation is synchronous when Python sets a control (tests, nbval, another cell)
and moves to a worker thread when the browser does, so saved notebooks are deterministic.

**Sentences** begin with what changes; numbers that are not counts go through `three`. The
sentence is the explorer's repr, of which nbval compares the first 110 characters.

**Pictures** are drawn on a bare Figure: no pyplot, no rcParams, no mathtext where plain text does.
Use `plane` for points and `chart` for curves, the palette with markers, and fixed limits.

**Prediction.** Pass ``Prediction("How many …?", truth=lambda result: …)`` to ``super().__init__``;
the truth appears at the last frame (replay) or at "Compare".

**Canvas.** For points that the reader moves see `canvas.CanvasExplorer`. For another anywidget,
return it from ``make_stage()`` and override ``present``; still write ``draw``, which snapshots
and saved pages use.
"""

from annlab.plotting import MARKERS as MARKERS
from annlab.plotting import PALETTE as PALETTE
from annlab.plotting import cluster_color as cluster_color
from annlab.plotting import cluster_marker as cluster_marker
from annlab.widgets.base.controls import Control as Control
from annlab.widgets.base.controls import choice as choice
from annlab.widgets.base.controls import entry as entry
from annlab.widgets.base.controls import ladder as ladder
from annlab.widgets.base.controls import number as number
from annlab.widgets.base.controls import slider as slider
from annlab.widgets.base.controls import switch as switch
from annlab.widgets.base.explorer import Explorer as Explorer
from annlab.widgets.base.explorer import projector as projector
from annlab.widgets.base.jobs import Job as Job
from annlab.widgets.base.jobs import Stopped as Stopped
from annlab.widgets.base.jobs import Store as Store
from annlab.widgets.base.look import ALARM as ALARM
from annlab.widgets.base.look import INK as INK
from annlab.widgets.base.look import LOOK as LOOK
from annlab.widgets.base.look import PAPER as PAPER
from annlab.widgets.base.look import QUIET as QUIET
from annlab.widgets.base.look import chart as chart
from annlab.widgets.base.look import frame_limits as frame_limits
from annlab.widgets.base.look import plane as plane
from annlab.widgets.base.look import scatter_centroids as scatter_centroids
from annlab.widgets.base.look import scatter_clusters as scatter_clusters
from annlab.widgets.base.look import share as share
from annlab.widgets.base.look import three as three
from annlab.widgets.base.predict import Predict as Predict
from annlab.widgets.base.predict import Prediction as Prediction
from annlab.widgets.base.predict import ask as ask
