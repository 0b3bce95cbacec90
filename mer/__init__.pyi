import mer.models.action_unit_reader
import mer.report.figures

from . import datasets as datasets
from . import decflow as decflow
from . import evaluation as evaluation
from . import extraction as extraction
from . import face as face
from . import features as features
from . import flow as flow
from . import models as models
from . import report as report
from . import spotting as spotting
from . import synth as synth
from ._version import __version__ as __version__
from .evaluation.evaluate_folder import evaluate as evaluate
from .evaluation.protocols.protocol import PROTOCOLS as PROTOCOLS
from .extraction.extract import extract_flow as extract_flow
from .extraction.methods import METHODS as METHODS
from .extraction.methods import estimate_flow as estimate_flow
from .flow.field import Flow as Flow
from .models.registry import MODELS as MODELS
from .spotting.analyze_video import analyze as analyze
from .spotting.spot_video import spot as spot

readout = mer.models.action_unit_reader
plot = mer.report.figures
