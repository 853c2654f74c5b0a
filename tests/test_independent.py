"""The same numbers as SciPy and scikit-learn, or as a paper's formula written out here.

`training/test_parity.py` compares with PyTorch.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import linalg, ndimage, optimize, special, stats
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from nnmnist.config.schema import TrainingConfig
from nnmnist.data import mnist, synthetic
from nnmnist.data.distort import BLOCK, Distortion
from nnmnist.data.examples import Examples
from nnmnist.evaluation.calibration import calibration
from nnmnist.evaluation.classes import class_scores
from nnmnist.evaluation.comparison import compare
from nnmnist.evaluation.evaluate import evaluate, probabilities, wilson_interval
from nnmnist.model import optimizers
from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.network import Network
from nnmnist.model.optimizers import OPTIMIZERS, SGD, Adam
from nnmnist.model.outputs import OUTPUTS
from nnmnist.training.fit import fit

REAL_DATA = os.environ.get("NNMNIST_DATA_DIR")  # before a fixture removes it


def all_rows(inputs, targets, n_classes=0):
    return Examples(inputs, targets, np.arange(len(inputs)), n_classes)


def trained(network, examples, **settings):
    nothing = Examples(examples.inputs, examples.targets, np.arange(0), examples.n_classes)
    for _ in fit(network, examples, nothing, TrainingConfig(**settings)):
        pass
    return network


# --- The optimum of softmax regression

DECAY = 0.1  # so much that a few hundred steps of gradient descent reach the optimum


@pytest.fixture(scope="module")
def digits():
    """2,000 images: of MNIST where it is, else generated ones."""
    source = mnist.load(Path(REAL_DATA)) if REAL_DATA else synthetic.load(0, 2000, 10)
    images, labels = (array[:2000] for array in source.train)
    return all_rows(images, labels, 10)


@pytest.fixture(scope="module")
def regression(digits):
    """Softmax regression as this project trains it, in float32."""
    return trained(
        Network((784, 10)), digits, epochs=400, batch_size="full", learning_rate=0.2,
        momentum=0.9, weight_decay=DECAY,
    )  # fmt: skip


def penalised_cost(theta, x, y):
    """J and its derivative for theta = (W, b), in float64: x (n, 784), y (n, 10) one-hot."""
    W, b = theta[:-10].reshape(10, -1), theta[-10:]
    z = x @ W.T + b
    log_p = z - special.logsumexp(z, axis=1, keepdims=True)
    cost = -(y * log_p).sum() / len(x) + DECAY / 2 * (W**2).sum()
    error = (np.exp(log_p) - y) / len(x)
    return cost, np.concatenate([(error.T @ x + DECAY * W).ravel(), error.sum(axis=0)])


def test_training_reaches_the_lowest_cost_that_scipy_finds(digits, regression):
    x, y = digits.inputs / 255, np.eye(10)[digits.targets]
    start = np.zeros(7850)
    lowest = optimize.minimize(
        penalised_cost, start, (x, y), jac=True, method="L-BFGS-B",
        options={"gtol": 1e-6, "ftol": 0, "maxiter": 2000},
    )  # fmt: skip
    assert lowest.success, lowest.message
    assert lowest.fun < penalised_cost(start, x, y)[0] - 0.5
    weights = regression.W[0].astype(np.float64)
    reached = evaluate(regression, digits).cost + DECAY / 2 * (weights**2).sum()
    assert reached == pytest.approx(lowest.fun, abs=1e-4)


def test_training_finds_the_weights_of_scikit_learn(digits, regression):
    # Its cost is C sum_i L_i + 1/2 sum W^2: this is J / DECAY for C = 1 / (n DECAY).
    reference = LogisticRegression(C=1 / (len(digits) * DECAY), tol=1e-5, max_iter=2000)
    reference.fit(digits.inputs / 255, digits.targets)
    largest = np.abs(reference.coef_).max()
    np.testing.assert_allclose(regression.W[0], reference.coef_, atol=0.01 * largest)
    p = reference.predict_proba(digits.inputs / 255)
    np.testing.assert_allclose(probabilities(regression, digits), p, atol=0.01)


# --- Steps of the optimizers and of a network


def momentum_by_the_formula(theta, gradients, rates):
    """v <- mu v + g, theta <- theta - eta v, with mu = 0.9."""
    v = np.zeros_like(theta)
    for g, rate in zip(gradients, rates, strict=True):
        v = np.longdouble("0.9") * v + g
        theta = theta - rate * v
    return theta


def adam_by_the_paper(theta, gradients, rates):
    """Kingma, Ba 2015, algorithm 1, with its default settings."""
    beta1, beta2, epsilon = map(np.longdouble, ("0.9", "0.999", "1e-8"))
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
        theta = theta - rate * m_hat / (np.sqrt(v_hat) + epsilon)
    return theta


@pytest.mark.parametrize(
    ("name", "formula"), [("sgd", momentum_by_the_formula), ("adam", adam_by_the_paper)]
)
def test_steps_are_those_of_the_formula(name, formula):
    """With rates that change in every step, more steps than FLUSH_EVERY and more than a block."""
    rng = np.random.default_rng(0)
    size, steps = optimizers.BLOCK + 100, optimizers.FLUSH_EVERY + 6
    # Gradients of very different sizes: among them are some near epsilon, and zeros.
    gradients = rng.normal(size=(steps, size)) * 10.0 ** rng.integers(-10, 3, size)
    gradients[:, :5] = 0
    rates = rng.uniform(0.001, 0.1, steps)
    theta = rng.uniform(1, 2, size)
    expected = formula(
        theta.astype(np.longdouble), gradients.astype(np.longdouble), rates.astype(np.longdouble)
    )
    optimizer = OPTIMIZERS[name](size, 0.9, np.float64)
    for g, rate in zip(gradients.copy(), rates, strict=True):
        optimizer.step(theta, g, float(rate))
    np.testing.assert_allclose(theta, expected.astype(np.float64), rtol=1e-12, atol=1e-12)


def test_momentum_is_that_of_scikit_learn():
    """Its velocity contains the learning rate: the two agree as long as the rate is constant."""
    rng = np.random.default_rng(0)
    theta = rng.uniform(1, 2, 50)
    params = [theta.copy()]
    reference = SGDOptimizer(params, learning_rate_init=0.02, momentum=0.9, nesterov=False)
    optimizer = SGD(50, 0.9, np.float64)
    for g in rng.normal(size=(20, 50)):
        reference.update_params(params, [g.copy()])
        optimizer.step(theta, g, 0.02)
    np.testing.assert_allclose(theta, params[0], rtol=1e-12, atol=1e-13)


def test_adam_is_that_of_scikit_learn():
    """It adds epsilon to sqrt(v), before the correction of v, which then divides epsilon too.

    This is the faster form at the end of section 2 of the paper. With its epsilon times the
    correction, it is algorithm 1, which this project follows.
    """
    rng = np.random.default_rng(0)
    theta = rng.uniform(1, 2, 50)
    params = [theta.copy()]
    reference = AdamOptimizer(params, learning_rate_init=0.02)
    adam = Adam(50, dtype=np.float64)
    scale = 10.0 ** rng.integers(-9, 3, 50)
    for t, g in enumerate(scale * rng.normal(size=(20, 50)), start=1):
        reference.epsilon = 1e-8 * (1 - 0.999**t) ** 0.5
        reference.update_params(params, [g.copy()])
        adam.step(theta, g, 0.02)
    np.testing.assert_allclose(theta, params[0], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("activation", "their_name"),
    [("identity", "identity"), ("relu", "relu"), ("sigmoid", "logistic"), ("tanh", "tanh")],
)
@pytest.mark.parametrize("output", ["softmax", "logistic"])
def test_steps_of_a_network_are_those_of_scikit_learn(activation, their_name, output):
    rng = np.random.default_rng(0)
    n, decay, rate = 40, 0.02, 0.1
    x, y = rng.normal(size=(n, 7)), np.eye(3, dtype=int)[rng.integers(0, 3, n)]
    network = Network((7, 6, 5, 3), activation=activation, output=output, dtype=np.float64)
    network.theta[:] = rng.normal(0, 0.5, network.theta.size)
    # Its penalty is alpha / 2n sum W^2. Several labels per example get one sigmoid for each class.
    reference = MLPClassifier(
        (6, 5), activation=their_name, solver="sgd", alpha=decay * n, batch_size=n,
        learning_rate_init=rate, momentum=0, nesterovs_momentum=False, random_state=0,
    )  # fmt: skip
    labels = y.argmax(axis=1) if output == "softmax" else y
    reference.partial_fit(x, labels, classes=np.arange(3))  # makes the arrays that start equal
    assert reference.out_activation_ == output
    for W, b, W_, b_ in zip(
        network.W, network.b, reference.coefs_, reference.intercepts_, strict=True
    ):
        W_[:], b_[:] = W.T, b
    sgd = SGD(network.theta.size)
    for _ in range(10):
        network.gradient(x, y.T, decay)
        sgd.step(network.theta, network.grad, rate)
        reference.partial_fit(x, labels)
    for W, b, W_, b_ in zip(
        network.W, network.b, reference.coefs_, reference.intercepts_, strict=True
    ):
        np.testing.assert_allclose(W, W_.T, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(b, b_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(network.predict(x), reference.predict_proba(x), rtol=1e-9)


# --- Outputs and activations, also at huge z

HUGE = np.array([0, 1e-300, 0.1, 1, 7, 36, 37, 700, 750, 1e5, 1e300])


def huge_z():
    """z (3, 484): every pair of values in HUGE, of either sign, beside 0."""
    values = np.concatenate([-HUGE, HUGE])
    a, b = np.meshgrid(values, values)
    return np.stack([a.ravel(), b.ravel(), np.zeros(a.size)])


def test_softmax_and_its_cost_are_those_of_scipy():
    z = huge_z()
    for k in range(3):
        y = np.zeros_like(z)
        y[k] = 1
        costs, p, delta = OUTPUTS["softmax"].cost(z.copy(), y)
        expected = special.softmax(z, axis=0)
        np.testing.assert_allclose(p, expected, rtol=1e-12)
        np.testing.assert_allclose(delta, expected - y, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(
            costs, -special.log_softmax(z, axis=0)[k], rtol=1e-12, atol=1e-15
        )


def test_the_logistic_output_and_its_cost_are_those_of_scipy():
    z = huge_z()[:1]
    for y in (0.0, 1.0):
        costs, p, _ = OUTPUTS["logistic"].cost(z.copy(), np.full_like(z, y))
        # p comes from a tanh, which is rounded to -1 where p < 1e-16.
        np.testing.assert_allclose(p, special.expit(z), rtol=1e-12, atol=1e-16)
        # The cost loses what is small beside |z|.
        error = np.abs(costs + special.log_expit(z[0] if y else -z[0]))
        assert (error <= 1e-15 * np.maximum(np.abs(z[0]), 1)).all()


def test_activations_are_those_of_scipy():
    z = np.concatenate([-HUGE, HUGE, np.linspace(-40, 40, 801)])
    expected = {"sigmoid": special.expit(z), "softplus": np.logaddexp(0, z), "tanh": np.tanh(z)}
    for name, h in expected.items():
        found = z.copy()
        ACTIVATIONS[name].apply(found, np.empty_like(z))
        np.testing.assert_allclose(found, h, rtol=1e-13, atol=1e-16, err_msg=name)


# --- Evaluation


@pytest.fixture(scope="module")
def classified():
    """An evaluation with 4 classes, the true labels, the probabilities and the predictions.

    Class 2 is never predicted, and class 3 never true.
    """
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 500).astype(np.uint8)
    inputs = (np.eye(4)[labels] + rng.normal(0, 0.5, (500, 4))).astype(np.float32)
    network = Network((4, 4))
    network.W[0][:] = 3 * np.eye(4)
    network.b[0][2] = -30
    data = all_rows(inputs, labels, 4)
    p = probabilities(network, data).astype(np.float64)
    predicted = p.argmax(axis=1)
    assert set(predicted) == {0, 1, 3}
    return evaluate(network, data), labels, p, predicted


def test_accuracy_and_confusion_are_those_of_scikit_learn(classified):
    result, labels, _, predicted = classified
    expected = metrics.confusion_matrix(labels, predicted, labels=range(4))
    np.testing.assert_array_equal(result.confusion, expected)
    assert result.accuracy == metrics.accuracy_score(labels, predicted)


def test_precision_recall_and_f1_of_the_confusion_are_those_of_scikit_learn(classified):
    result, labels, _, predicted = classified
    found = class_scores(result.confusion)
    settings = {"labels": range(4), "zero_division": 0}
    expected = metrics.precision_recall_fscore_support(labels, predicted, **settings)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert expected[0][2] == expected[1][2] == expected[1][3] == 0
    report = metrics.classification_report(labels, predicted, output_dict=True, **settings)
    for name, means in (("macro avg", found.macro), ("weighted avg", found.weighted)):
        expected = [report[name][score] for score in ("precision", "recall", "f1-score")]
        np.testing.assert_allclose(list(means.values()), expected, rtol=1e-12)


def test_the_cost_is_the_log_loss_of_scikit_learn(classified):
    result, labels, p, _ = classified
    # `labels` includes no 3; p is rounded to float32.
    expected = metrics.log_loss(labels, p / p.sum(axis=1, keepdims=True), labels=range(4))
    assert result.cost == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("outputs", [1, 3])
def test_r2_is_that_of_scikit_learn(outputs):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5)).astype(np.float32)
    values = (x @ rng.normal(size=(5, outputs)) + 100 + rng.normal(size=(60, outputs))) * [
        [1, 10, 0.1][:outputs]
    ]
    data = all_rows(x, values.astype(np.float32))
    network = Network((5, outputs), output="linear", dtype=np.float64)
    network.theta[:] = rng.normal(size=network.theta.size)
    network.b[0][:] += values.mean(axis=0)
    # Several outputs: one R^2, in which each output has the weight of its variance.
    expected = metrics.r2_score(
        data.targets.astype(np.float64), network.predict(x), multioutput="variance_weighted"
    )
    assert evaluate(network, data).r2 == pytest.approx(expected, rel=1e-6, abs=1e-6)


def tables():
    """The counts (only A, only B): all small ones, and some large ones."""
    yield from ((a, b) for a in range(26) for b in range(26))
    yield from np.random.default_rng(0).integers(0, 4000, (30, 2)).tolist()
    yield from ((0, 1000), (5000, 5000), (4950, 5050), (70, 300))


def test_p_is_that_of_the_binomial_test():
    for a, b in tables():
        # labels are 1: A alone is right, B alone, both, none
        right_a = np.repeat([1, 0, 1, 0], [a, b, 3, 2])
        right_b = np.repeat([0, 1, 1, 0], [a, b, 3, 2])
        found = compare(right_a, right_b, np.ones_like(right_a))
        assert (found.only_a, found.only_b) == (a, b)
        expected = stats.binomtest(a, a + b, 0.5).pvalue if a + b else 1.0
        assert found.p == pytest.approx(expected, rel=1e-10, abs=1e-300), (a, b)


def test_the_interval_is_that_of_scipy():
    counts = [(k, n) for n in (*range(1, 31), 1000, 10_000) for k in {0, 1, n // 3, n - 1, n}]
    # The project rounds the 1.95996398... of 95 % to seven digits.
    same = special.erf(1.959964 / 2**0.5)
    for k, n in counts:
        interval = stats.binomtest(k, n).proportion_ci
        found = wilson_interval(k, n)
        assert found == pytest.approx(tuple(interval(same, method="wilson")), abs=1e-10)
        assert found == pytest.approx(tuple(interval(0.95, method="wilson")), abs=1e-8)


def calibration_by_the_definition(p, labels, bins):
    """(count, correct, sum of the confidences) of each bin, and the error: one by one."""
    found = [[0, 0, 0.0] for _ in range(bins)]
    for row, label in zip(p, labels, strict=True):
        confidence = max(row)
        [m] = [m for m in range(bins) if m / bins < confidence <= (m + 1) / bins] or [0]
        found[m][0] += 1
        found[m][1] += row.tolist().index(confidence) == label
        found[m][2] += confidence
    gaps = [abs(correct - confidence) for _, correct, confidence in found]
    return found, sum(gaps) / len(p)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_is_that_of_the_definition_and_of_scikit_learn(bins):
    rng = np.random.default_rng(0)
    # Every edge of a bin, 0 and 1 among them, and sure predictions, as well as usual ones.
    edges = np.arange(bins + 1) / bins
    p = np.concatenate(
        [
            np.stack([edges, 0 * edges, 0 * edges], axis=1),
            np.eye(3)[rng.integers(0, 3, 20)],
            rng.dirichlet(np.ones(3), 500),
        ]
    )
    labels = rng.integers(0, 3, len(p))
    found = calibration(p, labels, bins)
    expected, error = calibration_by_the_definition(p, labels, bins)
    np.testing.assert_array_equal(found.count, [count for count, _, _ in expected])
    np.testing.assert_array_equal(found.correct, [correct for _, correct, _ in expected])
    assert found.error == pytest.approx(error, rel=1e-12)
    # scikit-learn leaves out the empty bins; so it needs our counts for the error.
    accuracy, confidence = calibration_curve(
        p.argmax(axis=1) == labels, p.max(axis=1), n_bins=bins, strategy="uniform"
    )
    full = found.count > 0
    np.testing.assert_allclose(found.accuracy[full], accuracy, rtol=1e-12)
    np.testing.assert_allclose(found.confidence[full], confidence, rtol=1e-12)
    weights = found.count[full] / len(p)
    assert found.error == pytest.approx(weights @ np.abs(accuracy - confidence), rel=1e-12)


# --- Least squares


def least_squares_of(x, values):
    network = Network((x.shape[1], values.shape[1]), output="linear", dtype=np.float64)
    return trained(network, all_rows(x, values), optimizer="least_squares")


def test_least_squares_is_that_of_scipy_and_scikit_learn():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(200, 12)) * 10.0 ** rng.uniform(-2, 2, 12) + 3).astype(np.float32)
    values = rng.normal(size=(200, 3)).astype(np.float32)
    network = least_squares_of(x, values)
    x1 = np.hstack([x.astype(np.float64), np.ones((200, 1))])
    solution, *_ = linalg.lstsq(x1, values.astype(np.float64))
    np.testing.assert_allclose(network.W[0], solution[:-1].T, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(network.b[0], solution[-1], rtol=1e-9, atol=1e-12)
    reference = LinearRegression().fit(x.astype(np.float64), values.astype(np.float64))
    np.testing.assert_allclose(network.W[0], reference.coef_, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(network.b[0], reference.intercept_, rtol=1e-7, atol=1e-10)


def test_of_many_least_squares_solutions_it_is_that_of_scipy():
    """The smallest W and b together. LinearRegression, which centres x, takes the smallest W."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 8)).astype(np.float32)
    x[:, 5:] = x[:, :3]
    values = rng.normal(size=(30, 2)).astype(np.float32)
    network = least_squares_of(x, values)
    x1 = np.hstack([x.astype(np.float64), np.ones((30, 1))])
    solution, _, rank, _ = linalg.lstsq(x1, values.astype(np.float64))
    assert rank == 6
    np.testing.assert_allclose(network.W[0], solution[:-1].T, atol=1e-10)
    np.testing.assert_allclose(network.b[0], solution[-1], atol=1e-10)


# --- Distortions

SHAPE = (12, 17)


def distortion(shape, sigma=5.0):
    return Distortion(
        shape, rotation=0, shear=0, scale=0, shift=0, alpha=1, sigma=sigma, sharpen=False
    )


def warped(images, maps, warp):
    """The images under affine maps, given as (2, n, 3): x and y from 1, x and y."""
    flat = images.reshape(len(images), -1)
    full = np.zeros((2, len(images), len(warp.basis)), np.float32)
    full[:, :, : maps.shape[2]] = maps
    return warp.warp(flat, full, np.empty(flat.shape, np.float32)).reshape(images.shape)


def test_affine_maps_are_those_of_scipy():
    """With maps of whole 1/256, to which the project rounds, so that nothing is rounded.

    Outside of the image both interpolate between its border and zeros: "grid-constant".
    """
    rng = np.random.default_rng(0)
    n = BLOCK + 5  # more than one block
    images = rng.integers(0, 256, (n, *SHAPE)).astype(np.uint8)
    maps = np.empty((2, n, 3))
    maps[:, :, 0] = rng.integers(-5 * 256, 5 * 256, (2, n)) / 256
    # The centre lies between two pixels or on one: a multiple of 1/128 times it is one of 1/256.
    maps[:, :, 1:] = rng.integers(-160, 160, (2, n, 2)) / 128
    found = warped(images, maps, distortion(SHAPE))
    centre = (np.array(SHAPE) - 1) / 2
    for image, (x, y), result in zip(images, maps.swapaxes(0, 1), found, strict=True):
        matrix = np.array([[y[2], y[1]], [x[2], x[1]]])  # SciPy's axes are rows, columns
        offset = centre + np.array([y[0], x[0]]) - matrix @ centre
        expected = ndimage.affine_transform(
            image / 255, matrix, offset, order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(result, expected, atol=1e-6)


def test_elastic_interpolation_is_that_of_scipy():
    """Sources anywhere, which the project rounds to 1/256 pixel along each axis."""
    rng = np.random.default_rng(0)
    n, warp = 20, distortion((28, 28))
    images = rng.integers(0, 256, (n, 28, 28)).astype(np.uint8)
    maps = np.zeros((2, n, len(warp.basis)), np.float32)
    maps[0, :, 1] = maps[1, :, 2] = 1
    maps[:, :, 3:] = 30 * rng.normal(size=(2, n, len(warp.basis) - 3))
    found = warped(images, maps, warp)
    x, y = (maps @ warp.basis.astype(np.float64) + 13.5).reshape(2, n, 28, 28)
    assert np.abs(x - np.arange(28)).max() > 3
    for image, columns, rows, result in zip(images, x, y, found, strict=True):
        expected = ndimage.map_coordinates(
            image / 255, [rows, columns], order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(result, expected, atol=1.01 / 256)


@pytest.mark.parametrize("sigma", [1.5, 4, 6])
def test_the_smoothing_is_the_gaussian_filter_of_scipy(sigma):
    """The smoothed noise of both has the same covariance between any two pixels.

    The project keeps the largest singular values alone (above NEGLIGIBLE), which leaves an error of
    less than 0.001 of the variance. SciPy divides the Gaussian by its sum, and the project by its
    integral: for a sigma above 1 the two differ by less than 1e-8. `truncate` makes SciPy's
    Gaussian as wide as the image.
    """
    rows, columns = SHAPE
    pixels = rows * columns
    impulses = np.eye(pixels).reshape(pixels, rows, columns)
    smoothed = ndimage.gaussian_filter(
        impulses, (0, sigma, sigma), mode="constant", truncate=40 / sigma
    ).reshape(pixels, pixels)
    expected = smoothed.T @ smoothed
    fields = distortion(SHAPE, sigma).basis[3:].astype(np.float64)
    np.testing.assert_allclose(fields.T @ fields, expected, atol=1e-3 * expected.max())
