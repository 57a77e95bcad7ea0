"""Keras builders: recurrent networks, the transformer, networks with noise."""

from musiclab.models.build import build_model, compile_model
from musiclab.models.config import TUTORIAL_UNITS, NetworkConfig
from musiclab.models.noise import choose_noise, latent_of, noise_effect, predictions_under
from musiclab.models.recurrent import CELLS
from musiclab.models.transformer import attention_weights

__all__ = [
    "CELLS",
    "TUTORIAL_UNITS",
    "NetworkConfig",
    "attention_weights",
    "build_model",
    "choose_noise",
    "compile_model",
    "latent_of",
    "noise_effect",
    "predictions_under",
]
