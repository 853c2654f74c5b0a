"""scikit-learn's MLPClassifier, with its defaults (Adam) but for the network and the epochs."""

import time
import warnings

from common import arguments, mnist, report
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore", ConvergenceWarning)
options = arguments()
x, y, x_test, y_test = mnist(options.centre)
model = MLPClassifier(options.hidden, max_iter=options.epochs, random_state=options.seed)
started = time.perf_counter()
model.fit(x, y)
seconds = (time.perf_counter() - started) / options.epochs
report("sklearn", [seconds] * options.epochs, float(model.score(x_test, y_test)))
