"""Run a lesson without opening it, with other parameters.

A lesson's parameters stand in its cell tagged `parameters`, each with its
type and a comment. papermill puts the chosen ones in and runs the
notebook in a fresh kernel; what it makes lands in a folder of its own,
`runs/<notebook>/<time>/`.
"""

import ast
import math
import re
import sys
from contextlib import suppress
from numbers import Integral, Real
from pathlib import Path

import yaml

from musiclab.errors import ParameterError

PROJECT = Path(__file__).parents[2]
NOTEBOOKS = PROJECT / "notebooks"
PRESETS = NOTEBOOKS / "parametros"
MAX_PRESET, MAX_NOTEBOOK = 2**16, 2**27  # characters, bytes
EXHAUSTED = (RecursionError, MemoryError)  # what a parser makes of a thousand brackets


# Smallest and largest value of the parameters that have limits.
RANGES = {
    "SEQUENCE_LEN": (1, 1000),
    "FEW_SONGS": (1, None),
    "FEW_EPOCHS": (1, None),
    "LISTEN_QL": (4.0, None),
    "TRANSPOSE": (0, 11),
    "TUTORIAL_WINDOWS": (32, None),
    "TUTORIAL_EPOCHS": (1, None),
    "SYMBOL_EPOCHS": (1, None),
    "EPOCHS": (1, None),
    "SEED": (0, 2**32 - 1),
    "SONG_SEED": (0, 2**32 - 1),
    "N_NOTES": (1, 10_000),
    "TEMPERATURE": (0.0, None),
    "TOP_P": (0.01, 1.0),
    "TOP_K": (1, None),
    "N_SONGS": (1, None),
    "TEMPO_BPM": (20.0, 400.0),
    "FRAGMENT_QL": (1.0, None),
}


# Parameters


def check_parameters(**parameters):
    """Return the parameters as a dict. Raises ParameterError for one that is out of its RANGES."""
    for name, value in parameters.items():
        low, high = RANGES.get(name, (None, None))
        # Said so that NaN is out of every range.
        high_enough = low is None or value >= low
        low_enough = high is None or value <= high
        if not (high_enough and low_enough):
            limits = f"al menos {low}" if high is None else f"de {low} a {high}"
            raise ParameterError(f"{name} es {value!s:.40} y debe ser {limits}")
    return parameters


def collect_parameters(namespace, *others):
    """Return the parameters among a notebook's `globals()`: the names in capitals.

    others: parameters whose names are in small letters, which nothing else
        tells from the notebook's variables

    Raises ParameterError for one that is out of range.
    """
    capitals = [name for name in namespace if name.isupper() and name[0] != "_"]
    found = {name: namespace[name] for name in (*capitals, *others)}
    return check_parameters(**found)


def read_parameters(notebook):
    """Return {name: default} of a notebook's cell tagged `parameters`.

    A parameter is what the cell gives a value, with a type or without, in
    capitals or not, as for papermill.

    notebook: path of the notebook
    Raises ParameterError when it has no such cell, or one that computes.
    """
    for cell in read_notebook(notebook).cells:
        if "parameters" not in cell.metadata.get("tags", ()):
            continue
        try:
            return dict(_assignments(cell.source))
        except (SyntaxError, ValueError, TypeError, AttributeError, *EXHAUSTED) as error:
            raise ParameterError(
                f"la celda «parameters» de «{notebook}» debe tener líneas de la forma "
                "NOMBRE = valor o NOMBRE: tipo = valor, con valores y no cálculos"
            ) from error
    raise ParameterError(f"«{notebook}» no tiene ninguna celda con la etiqueta «parameters»")


def _assignments(source):
    """Yield the (name, value) of each assignment of a literal to a name.

    Raises AttributeError or ValueError for an assignment of another form.
    """
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            targets = node.targets  # several in A = B = 1
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        for target in targets:
            yield target.id, ast.literal_eval(node.value)


def read_preset(name):
    """Return {name: value} of a file in notebooks/parametros/, or of a path.

    Its values are YAML's, with numbers as `merge_parameters` reads them.
    Raises ParameterError when there is no such file, or no mapping from names
    to plain values in it.
    """
    is_path = name.endswith((".yaml", ".yml"))
    path = Path(name) if is_path else PRESETS / f"{name}.yaml"
    try:
        with open(path, encoding="utf-8") as file:
            values = _load_yaml(file.read(MAX_PRESET + 1))
    except (OSError, yaml.YAMLError, ValueError, *EXHAUSTED) as error:
        known = ", ".join(sorted(p.stem for p in PRESETS.glob("*.yaml")))
        raise ParameterError(
            f"no se puede leer «{path}»: elige uno de {known}, o la ruta de un fichero .yaml"
        ) from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ParameterError(f"«{path}» no contiene solo líneas de la forma NOMBRE: valor")
    return values


class _PlainLoader(yaml.SafeLoader):
    """YAML of texts, numbers, lists and mappings, with numbers as a person reads them.

    YAML 1.1 takes 010 for eight, 1:30 for ninety, 1e0 for a text, a date for
    an object and «no» for a boolean. It also has references, by which a
    short text can say a list of 10^9 items.
    """

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("a reference")
        return super().compose_node(parent, index)

    def construct_text(self, node):
        if node.style:  # in quotes, or a block
            return node.value
        return _plain(node.value) if node.value else None


_TAG = "tag:yaml.org,2002:"
_PlainLoader.yaml_implicit_resolvers = {}
_PlainLoader.yaml_constructors = {
    _TAG + "str": _PlainLoader.construct_text,
    _TAG + "seq": _PlainLoader.construct_yaml_seq,
    _TAG + "map": _PlainLoader.construct_yaml_map,
    None: _PlainLoader.construct_undefined,
}


def _load_yaml(text):
    """Return the value of a short text; raises YAMLError, ValueError or one of EXHAUSTED."""
    if len(text) > MAX_PRESET:
        raise ValueError("too long")
    return yaml.load(text, _PlainLoader)


def merge_parameters(defaults, chosen):
    """Return chosen values with the types that the defaults have.

    chosen: {name: value}, where a string stands for a value typed at the
        command line

    What is typed is read by the type of the default:
    - int: decimal digits, such as 10, +5, 010 (ten) or 1_000
    - float: the same, or 0.5, 0,5, .5 and 1e-3; never infinite
    - bool: true or false; sí, no, yes, on and off too
    - str: as it stands; a number of a preset is its digits
    - list: a YAML list of numbers, texts, true, false and null, such as [64, gru]
    - None: none or null, or what it looks like, a list included; "3" with its
      quotes is a text

    Raises ParameterError for an unknown name, a wrong type or a value out of
    range.
    """
    unknown = sorted(set(chosen) - set(defaults))
    if unknown:
        raise ParameterError(
            f"no existe el parámetro {', '.join(unknown)}: los que hay son {', '.join(defaults)}"
        )
    merged = {name: _convert(name, value, defaults[name]) for name, value in chosen.items()}
    return check_parameters(**merged)


def _convert(name, value, default):
    """Return a value as the kind that its default is of, or raise ParameterError."""
    kind = type(default)
    read, wanted = _KINDS.get(kind, (None, kind.__name__))
    try:
        if read:
            return read(value)
    except (yaml.YAMLError, ValueError, OverflowError, *EXHAUSTED):
        pass
    example = "none" if default is None else repr(default)
    raise ParameterError(f"{name} es «{value!s:.60}» y debe ser {wanted}, como {example}")


# Each of these returns a value as its kind, or raises ValueError. A string is what was typed.


def _read_bool(value):
    word = value.casefold() if isinstance(value, str) else value
    if word is True or word in ("true", "sí", "si", "yes", "on"):
        return True
    if word is False or word in ("false", "no", "off"):
        return False
    raise ValueError(value)


def _read_int(value):
    if isinstance(value, str) and _INT.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    raise ValueError(value)


def read_number(value):
    """Return the float of a finite number, or of its text with a point or a comma.

    Raises ValueError for anything else.
    """
    if isinstance(value, str) and _FLOAT.fullmatch(value.strip()):
        value = float(value.replace(",", "."))
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise ValueError(value)


def _read_text(value):
    if isinstance(value, str):
        return value
    if isinstance(value, Real) and not isinstance(value, bool):
        return str(value)
    raise ValueError(value)


def _read_list(value):
    if isinstance(value, str):
        value = _load_yaml(value)
    if isinstance(value, list) and all(_is_plain(item) for item in value):
        return value
    raise ValueError(value)


def _read_any(value):
    if isinstance(value, str):
        value = _load_yaml(value) if value.startswith(("[", "'", '"')) else _plain(value)
    return value if _is_plain(value) else _read_list(value)


def _is_plain(value):
    """Return whether a value is a text, a finite number, a boolean or None."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


def _plain(text):
    """Return the None, boolean or number that a text looks like, or the text."""
    word = text.casefold()
    if word in ("none", "null", "~"):
        return None
    if word in ("true", "false"):
        return word == "true"
    for read in (_read_int, read_number):
        with suppress(ValueError):
            return read(text)
    return text


_INT = re.compile("[-+]?[0-9]+(?:_[0-9]+)*")
_FLOAT = re.compile(
    "[-+]?(?:[0-9]+(?:_[0-9]+)*(?:[.,][0-9]*)?|[.,][0-9]+)"  # 12, 1_000, 0.5, 0,5, 5. or .5
    "(?:[eE][-+]?[0-9]+)?"
)
_KINDS = {
    bool: (_read_bool, "true o false"),
    int: (_read_int, "un entero"),
    float: (read_number, "un número (escrito 0.5 o 0,5)"),
    str: (_read_text, "un texto"),
    list: (_read_list, "una lista entre corchetes"),
    type(None): (_read_any, "un valor suelto o una lista de ellos"),
}


def read_notebook(path):
    """Return nbformat's notebook of a file. Raises ParameterError for what is none."""
    # Grammars of web addresses that jsonschema looks for: seconds to build, and nothing asks them.
    for name in ("rfc3987_syntax", "rfc3986_validator"):
        sys.modules.setdefault(name, None)
    import nbformat

    try:
        if Path(path).stat().st_size > MAX_NOTEBOOK:
            raise ValueError("too long")
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        return notebook
    except Exception as error:  # nbformat looks into what it has not yet validated
        raise ParameterError(
            f"«{path}» no es un cuaderno de Jupyter legible: ábrelo y guárdalo de nuevo en JupyterLab"
        ) from error
