import mer.flow.facialflownet

from .face_model_registry import FACE_MODELS as FACE_MODELS
from .face_model_registry import load_face_model as load_face_model
from .flow_dataset import Settings as Settings
from .flow_dataset import make_dataset as make_dataset
from .video_benchmark import BenchmarkSettings as BenchmarkSettings
from .video_benchmark import make_benchmark as make_benchmark

read_facialflownet = mer.flow.facialflownet.read_facialflownet
