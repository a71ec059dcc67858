"""The known corpora, by the name they have on the command line."""

from synth_data.corpora.crema_d import CREMA_D
from synth_data.corpora.demos import DEMOS
from synth_data.corpora.emodb import EMODB
from synth_data.corpora.facts import Corpus
from synth_data.corpora.iemocap import IEMOCAP
from synth_data.corpora.msp_podcast import MSP_PODCAST
from synth_data.corpora.nemo import NEMO
from synth_data.corpora.ravdess import RAVDESS
from synth_data.corpora.table import TABLE
from synth_data.corpora.toy import TOY
from synth_data.corpora.toy_words import TOY_WORDS

CORPORA: dict[str, Corpus] = {
    "toy": TOY,
    "toy-words": TOY_WORDS,
    "emodb": EMODB,
    "ravdess": RAVDESS,
    "crema-d": CREMA_D,
    "nemo": NEMO,
    "iemocap": IEMOCAP,
    "demos": DEMOS,
    "msp-podcast": MSP_PODCAST,
    "table": TABLE,
}
