"""The settings of a network, and the one place where they are checked."""

import math
from dataclasses import KW_ONLY, dataclass, fields
from numbers import Integral, Real

from musiclab.errors import ParameterError
from musiclab.models.inputs import INPUTS
from musiclab.models.noise import NOISES
from musiclab.models.recurrent import CELLS
from musiclab.models.transformer import TRANSFORMER

TUTORIAL_UNITS = (512, 256, 128, 64, 32)
CHOICES = {"cell": (*CELLS, TRANSFORMER), "inputs": tuple(INPUTS), "noise": tuple(NOISES)}
# How a type is called, and what belongs to it: numpy's numbers do, True is no number.
TYPES = {
    bool: ("True o False", bool),
    int: ("un número entero", Integral),
    float: ("un número", Real),
    str: ("un texto", str),
}


@dataclass(frozen=True)
class NetworkConfig:
    """All that says which network is built; the defaults are the tutorial's network.

    vocab_size: how many ids there are
    cell: "simple_rnn", "lstm", "gru" or "transformer"
    units: width of each layer; dropout follows each
    inputs: "scalar" (id / vocab_size), "one_hot" or "embedding"
    every_step: give a prediction after each id, not only after the last
    bidirectional: read the window backwards too; only for one target a window
    n_heads, max_distance: of a transformer's layers, see `CausalAttention`
    noise: "none", "plain" (see `Noise`) or "vae" (see `Latent`), a vector of
        noise_dim numbers that each step gets beside its id
    free_nats: how much a VAE's vector may tell of the window, in nats a symbol

    It checks itself, whoever gives the settings: a lesson or a file. Lists,
    which JSON has, become tuples.
    Raises ParameterError for another type, a name or number out of range,
    and two settings that contradict each other.
    """

    vocab_size: int
    _: KW_ONLY
    cell: str = "lstm"
    units: tuple = TUTORIAL_UNITS
    dropout: float = 0.2
    inputs: str = "scalar"
    embedding_dim: int = 128
    every_step: bool = False
    bidirectional: bool = False
    n_heads: int = 4
    max_distance: int = 32
    noise: str = "none"
    noise_dim: int = 8
    free_nats: float = 0.2

    def __post_init__(self):
        self._check_types()
        # Frozen: this is how such a class changes itself while it is made.
        object.__setattr__(self, "units", tuple(self.units))
        self._check_choices()
        self._check_sizes()
        self._check_targets()
        if self.cell == TRANSFORMER:
            self._check_transformer()
        if self.noise != "none":
            self._check_noise()

    def _check_types(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "units":
                is_right = isinstance(value, list | tuple) and all(_is(n, int) for n in value)
                kind = "una lista de números enteros"
            else:
                is_right = _is(value, field.type)
                kind, _ = TYPES[field.type]
            if not is_right:
                raise ParameterError(
                    f"{field.name} es {value!r:.40} y debe ser {kind}",
                    name=field.name,
                    value=value,
                )

    def _check_choices(self):
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ParameterError(
                    f"{name} es «{value}» y debe ser {', '.join(choices)}",
                    name=name,
                    value=value,
                    choices=choices,
                )

    def _check_sizes(self):
        sizes = (*self.units, self.embedding_dim, self.vocab_size - 1)
        if not self.units or min(sizes) < 1 or not 0 <= self.dropout < 1:
            raise ParameterError(
                f"no hay red con units={list(self.units)}, embedding_dim={self.embedding_dim}, "
                f"dropout={self.dropout} y {self.vocab_size} símbolos: hacen falta 2 símbolos, 1 "
                "unidad en cada capa y en el embedding, y un dropout de 0 a 1 sin llegar a 1",
                units=self.units,
                embedding_dim=self.embedding_dim,
                dropout=self.dropout,
                vocab_size=self.vocab_size,
            )

    def _check_transformer(self):
        if self.bidirectional:
            raise ParameterError(
                "un transformer ya mira de una vez toda la ventana: usa bidirectional=False, "
                f"o una celda recurrente ({', '.join(CELLS)})",
                name="bidirectional",
                value=self.bidirectional,
            )
        widths = set(self.units)
        too_small = min(self.n_heads, self.max_distance) < 1
        if too_small or len(widths) > 1 or self.units[0] % self.n_heads:
            raise ParameterError(
                f"no hay transformer con units={list(self.units)}, n_heads={self.n_heads} y "
                f"max_distance={self.max_distance}: todas las capas tienen la misma anchura, "
                "múltiplo de n_heads, y n_heads y max_distance son al menos 1; prueba "
                "units=[128, 128] y n_heads=4",
                units=self.units,
                n_heads=self.n_heads,
                max_distance=self.max_distance,
            )

    def _check_noise(self):
        if self.noise_dim < 1 or self.free_nats < 0 or not _is_finite(self.free_nats):
            raise ParameterError(
                f"noise_dim es {self.noise_dim} y debe ser al menos 1; free_nats es "
                f"{self.free_nats} y debe ser un número finito, 0 o más",
                noise_dim=self.noise_dim,
                free_nats=self.free_nats,
            )

    def _check_targets(self):
        if self.every_step and self.bidirectional:
            raise ParameterError(
                "con bidirectional=True y every_step=True la red vería en la entrada el símbolo "
                "que debe predecir en cada paso: usa every_step=False, o bidirectional=False",
                every_step=True,
                bidirectional=True,
            )
        if self.noise == "vae" and not self.every_step:
            raise ParameterError(
                "con noise=vae y every_step=False el codificador leería la ventana, pero no el "
                "único símbolo que hay que predecir, y el ruido no diría nada: usa every_step=True",
                noise=self.noise,
                every_step=False,
            )


SETTINGS = tuple(field.name for field in fields(NetworkConfig) if field.kw_only)


def _is(value, kind):
    """Return whether a value is of a type; True and False are of no other than bool."""
    _, wanted = TYPES[kind]
    return isinstance(value, wanted) and (kind is bool or not isinstance(value, bool))


def _is_finite(value):
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False
