"""Keras builders: recurrent networks, the transformer, networks with noise."""

from musiclab.models.build import TUTORIAL_UNITS, build_model, compile_model
from musiclab.models.noise import choose_noise, latent_of, noise_effect, predictions_under
from musiclab.models.recurrent import CELLS
from musiclab.models.transformer import attention_weights

__all__ = [
    "CELLS",
    "TUTORIAL_UNITS",
    "attention_weights",
    "build_model",
    "choose_noise",
    "compile_model",
    "latent_of",
    "noise_effect",
    "predictions_under",
]
