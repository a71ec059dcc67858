"""How well numbers were told: Lin's concordance first, then correlation and distance.

Concordance (CCC; Lin 1989, "A concordance correlation coefficient to evaluate reproducibility",
Biometrics 45) is 2 cov / (var + var + squared distance of the means), of population moments: 1 for
equal numbers, 0 for what says nothing, and less than the correlation where scale or mean is wrong.
Where nothing varies nothing concords: 0 and not undefined, so that a student that tells one number
is scored. What is not known of an utterance is NaN in the truth, and counts nowhere: every
dimension is measured, and learned, on the utterances of which it is known.

As a loss it couples all utterances, which a private door does not read at once. But it depends on
them through six means per dimension alone, so it is asked in two steps: the means of `moments`,
and then those of the gradient of `surrogate`, which they fix.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

# Of a variance, in the squared units of targets in [-1, 1]. Noise may leave less than nothing of
# one, and in a batch of alike items there is none; no corpus' numbers lie within 0.01.
LEAST_VARIANCE = 1e-4
LEAST_KNOWN = 1e-3  # share of the utterances that a dimension is taken to be known of


def ccc(
    truth: Float[np.ndarray, "n dimension"], predicted: Float[np.ndarray, "n dimension"]
) -> Float[np.ndarray, " dimension"]:
    """Concordance of each column, in [-1, 1].

    >>> ccc(np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])).round(3).tolist()
    [0.333]
    """
    return ccc_of(_means(truth, predicted))


def pearson(
    truth: Float[np.ndarray, "n dimension"], predicted: Float[np.ndarray, "n dimension"]
) -> Float[np.ndarray, " dimension"]:
    """Correlation of each column, in [-1, 1]; 0 where either is constant."""
    return pearson_of(_means(truth, predicted))


def mae(
    truth: Float[np.ndarray, "n dimension"], predicted: Float[np.ndarray, "n dimension"]
) -> Float[np.ndarray, " dimension"]:
    """Mean absolute error of each column, in the units of the numbers."""
    return np.asarray(np.nanmean(np.abs(truth - predicted), axis=0))


def centre(truth: Float[np.ndarray, "n dimension"]) -> Float[np.ndarray, " dimension"]:
    """Mean of what is known; no metric depends on it, but differences of squares lose digits."""
    return np.asarray(np.nansum(truth, axis=0) / np.isfinite(truth).sum(axis=0).clip(min=1))


def moment_rows(
    truth: Float[np.ndarray, "n dimension"], predicted: Float[np.ndarray, "n dimension"]
) -> Float[np.ndarray, "n dimension 6"]:
    """Of each utterance: predicted, truth, both squared, their product, and 1.

    All zero where the truth is NaN.
    """
    parts = (predicted, truth, predicted**2, truth**2, predicted * truth, np.ones_like(truth))
    rows = np.stack(parts, axis=-1).astype(np.float64)
    return np.where(np.isnan(truth)[..., None], 0.0, rows)


def ccc_of(sums: Float[np.ndarray, "*batch 6"]) -> Float[np.ndarray, "*batch"]:
    """Concordance from sums or means of `moment_rows`; NaN where nothing is known."""
    covariance, variances, apart = _second(sums)
    found = _quotient(2 * covariance, variances.sum(axis=0) + apart**2)
    return np.where(sums[..., 5] > 0, found, np.nan)


def pearson_of(sums: Float[np.ndarray, "*batch 6"]) -> Float[np.ndarray, "*batch"]:
    """Correlation from sums or means of `moment_rows`; NaN where nothing is known."""
    covariance, variances, _ = _second(sums)
    found = _quotient(covariance, np.sqrt(variances.prod(axis=0)))
    return np.where(sums[..., 5] > 0, found, np.nan)


def ccc_loss(
    outputs: Float[Tensor, "n dimension"],
    targets: Float[Tensor, "n dimension"],
    importance: Float[Tensor, " dimension"],
) -> Float[Tensor, ""]:
    """1 - the weighted mean of the dimensions' concordance over a batch, in [0, 2].

    Variances are at least `LEAST_VARIANCE`. Where no target varies, as in a batch of one, nothing
    can concord and the gradient is zero or next to it: add a loss of single items.

    Args:
        outputs: of a student.
        targets: in [-1, 1]; NaN where one is not known.
        importance: of each dimension, summing to 1.
    """
    return _loss_at(moments(outputs, targets).mean(dim=0), importance)


def moments(
    outputs: Float[Tensor, "n dimension"], targets: Float[Tensor, "n dimension"]
) -> Float[Tensor, "n six_dimensions"]:
    """Rows whose mean is all that the concordance of a batch depends on.

    Returns:
        The outputs of every dimension, then the targets, both squared, their products, and 1; all
        six are zero where the target is NaN.
    """
    known = (~targets.isnan()).to(outputs)
    told, true = outputs * known, targets.nan_to_num(0.0)
    return torch.cat([told, true, told**2, true**2, told * true, known], dim=1)


def of_known(
    mean_moments: Float[Tensor, " six_dimensions"], importance: Float[Tensor, " dimension"]
) -> Float[Tensor, " dimension"]:
    """What makes a mean over all utterances the weighted mean over those that know a dimension.

    Args:
        mean_moments: of `moments`.
        importance: of each dimension.

    Returns:
        The importance over the share that knows it; 0 where nobody does, of which nothing can be
        learned.
    """
    share = mean_moments.chunk(6)[-1]
    return (importance.to(share) / share.clamp_min(LEAST_KNOWN)).where(share > 0, 0.0)


def surrogate(
    outputs: Float[Tensor, "n dimension"],
    targets: Float[Tensor, "n dimension"],
    mean_moments: Float[Tensor, " six_dimensions"],
    importance: Float[Tensor, " dimension"],
) -> Float[Tensor, " n"]:
    """A loss of each utterance, to be averaged in place of `ccc_loss`.

    It is linear in an utterance's moments. Where `mean_moments` are the mean over the same
    utterances, the mean of this loss has the value and the gradient of `ccc_loss` over them all;
    elsewhere it is the tangent there. Noisy moments are used as they are, but for variances, which
    are at least `LEAST_VARIANCE`.

    Args:
        outputs: of a student.
        targets: in [-1, 1]; NaN where one is not known.
        mean_moments: of `moments`, as answered; no gradient flows into them.
        importance: of each dimension, summing to 1.
    """
    fixed = mean_moments.detach()
    slope, value = torch.func.grad_and_value(_loss_at)(fixed, importance)
    return (moments(outputs, targets) - fixed) @ slope + value


def _loss_at(
    mean_moments: Float[Tensor, " six_dimensions"], importance: Float[Tensor, " dimension"]
) -> Float[Tensor, ""]:
    *means, share = mean_moments.chunk(6)
    known = share.clamp_min(LEAST_KNOWN)
    told, true, told_squared, true_squared, product = (each / known for each in means)
    variances = (told_squared - told**2).clamp_min(LEAST_VARIANCE)
    variances = variances + (true_squared - true**2).clamp_min(LEAST_VARIANCE)
    found = 2 * (product - told * true) / (variances + (told - true) ** 2)
    # Of what nobody knows nothing is learned; else noise there would be divided by almost nothing.
    return 1 - found.where(share > 0, 0.0) @ importance.to(found)


def _means(
    truth: Float[np.ndarray, "n dimension"], predicted: Float[np.ndarray, "n dimension"]
) -> Float[np.ndarray, "dimension 6"]:
    middle = centre(truth)
    return np.asarray(moment_rows(truth - middle, predicted - middle).mean(axis=0))


def _second(
    sums: Float[np.ndarray, "*batch 6"],
) -> tuple[Float[np.ndarray, "*batch"], Float[np.ndarray, "2 *batch"], Float[np.ndarray, "*batch"]]:
    """Covariance, both variances, and the distance of the means."""
    known = sums[..., 5:]
    means = np.divide(sums[..., :5], known, out=np.zeros_like(sums[..., :5]), where=known > 0)
    told, true, told_squared, true_squared, product = np.moveaxis(means, -1, 0)
    squares = np.stack([told_squared - told**2, true_squared - true**2])
    # What rounding leaves of the variance of one number said again and again is none.
    dust = 1e-12 * np.stack([told_squared, true_squared])
    return product - told * true, np.where(squares > dust, squares, 0.0), told - true


def _quotient(
    above: Float[np.ndarray, "*batch"], below: Float[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch"]:
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
