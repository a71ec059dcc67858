"""Proxies of dimensions for corpora that nobody rated: published values of words for emotions.

Mean pleasure, arousal and dominance, from -1 to 1, that people gave the word for an emotion in
J. A. Russell and A. Mehrabian, "Evidence for a three-factor theory of emotions", Journal of
Research in Personality 11, 1977, table 4 (151 words). All utterances of an emotion get the same
values, whoever speaks and however: they say what the label is like, not how the utterance is.

Checked against public transcriptions of the table, not the printed one: angry (its row 82),
disgusted (75), fearful (101), happy (31), sad (151) and surprised (52) stand in several of them
with these numbers. Bored is quoted with these values as of that table, by sources that tell no
row. Calm has no row: it has the values of "relaxed", which we found in one transcription only, and
with garbled digits. Neutral is the middle by definition, and not from the paper.
"""

from collections.abc import Mapping

from synth_data.utterance import Ratings

NOTE = "proxies of the emotions (Russell & Mehrabian 1977)"

# valence, activation, dominance
CENTROIDS: Mapping[str, tuple[float, float, float]] = {
    "anger": (-0.51, 0.59, 0.25),
    "boredom": (-0.65, -0.62, -0.33),
    "calm": (0.68, -0.46, 0.06),
    "disgust": (-0.60, 0.35, 0.11),
    "fear": (-0.64, 0.60, -0.43),
    "happiness": (0.81, 0.51, 0.46),
    "neutral": (0.0, 0.0, 0.0),
    "sadness": (-0.63, -0.27, -0.33),
    "surprise": (0.40, 0.67, -0.13),
}


def values_of(emotion: str) -> Ratings:
    """The fields of an utterance of this emotion.

    >>> values_of("anger")
    {'valence': -0.51, 'activation': 0.59, 'dominance': 0.25}
    """
    valence, activation, dominance = CENTROIDS[emotion]
    return Ratings(valence=valence, activation=activation, dominance=dominance)
