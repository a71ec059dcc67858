"""The known corpora, by the name they have on the command line."""

from synth_data.corpora.facts import Corpus

CORPORA: dict[str, Corpus] = {}
