"""scikit-learn's MLPClassifier.

It has no one-cycle schedule. It uses Adam with the rate 0.002, and as many epochs as 98 % needs.
"""

import time
import warnings

from common import arguments, mnist, report
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore", ConvergenceWarning)
options = arguments()
x, y, x_test, y_test = mnist()
model = MLPClassifier(
    options.hidden,
    batch_size=options.batch,
    max_iter=options.epochs,
    random_state=options.seed,
    solver="adam",
    learning_rate_init=0.002,
    alpha=0.0,
)
started = time.perf_counter()
model.fit(x, y)
seconds = (time.perf_counter() - started) / options.epochs
report("sklearn", [seconds] * options.epochs, float(model.score(x_test, y_test)))
