"""What a student's result lacks of the right one, in a Spanish phrase.

Conventions: numbers agree within `tolerance`, relative for those beyond 1;
lists and tuples are the same; NumPy's numbers are numbers. A phrase goes
behind «tu función ».
"""

import re
import reprlib
import types

import numpy as np

TOLERANCE = 1e-6
DEEPEST = 20


class _Short(reprlib.Repr):
    def repr_instance(self, value, level):
        """Say the type alone of what has no text of its own: an address tells nobody anything."""
        try:
            text = "" if type(value).__repr__ is object.__repr__ else repr(value)
        except BaseException:
            text = ""
        text = re.sub(" at 0x[0-9A-Fa-f]+", "", text or f"algo de tipo {type(value).__name__}")
        return text if len(text) <= self.maxother else f"{text[: self.maxother - 3]}..."


_short = _Short()
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxdict = 8
_short.maxstring, _short.maxother, _short.maxlong, _short.maxlevel = 60, 80, 30, 3

# What a kind of value is made of, and what students read.
_KINDS = {
    "bool": (bool | np.bool_, "True o False"),
    "int": (int | np.integer, "un entero (int)"),
    "float": (float | np.floating, "un número (float)"),
    "complex": (complex | np.complexfloating, "un número complejo"),
    "str": (str, "un texto (str)"),
    "list": (list | tuple, "una lista"),
    "dict": (dict, "un diccionario (dict)"),
    "set": (set | frozenset, "un conjunto (set)"),
    "generator": (types.GeneratorType | map | filter | zip | range, "un generador"),
    "function": (types.FunctionType | types.BuiltinFunctionType, "una función"),
}
NAMES = {kind: name for kind, (_, name) in _KINDS.items()}
NAMES |= {"array": "un array de NumPy", "NoneType": "None"}


def shown(value):
    """Return a value as text of one short line, whatever its `repr` does."""
    try:
        if isinstance(value, np.ndarray):
            inside = np.array2string(value, precision=4, threshold=8, edgeitems=3)
            text = f"array({' '.join(inside.split())})"
        elif isinstance(value, np.generic) and not isinstance(value.item(), np.generic):
            text = shown(value.item())
        elif isinstance(value, float):
            text = f"{float(value):.6g}"
        else:
            text = _short.repr(value)
    except BaseException:
        text = f"algo de tipo {type(value).__name__}"
    return text if len(text) <= 160 else f"{text[:157]}..."


def _gives(got, expected, where=""):
    """Return the phrase of a number in place of another, with digits enough to tell them apart."""
    texts = [shown(got), shown(expected)]
    if texts[0] == texts[1]:
        texts = [_short.repr(plain(value)) for value in (got, expected)]
    return f"da {texts[0]}{where} y debe dar {texts[1]}"


def kind_of(value):
    """Return the kind of a value, a key of NAMES or the name of its type."""
    if isinstance(value, np.ndarray):
        single = value.ndim == 0 and value.dtype.kind in "biufc"
        return kind_of(value.item()) if single else "array"
    for kind, (types_, _) in _KINDS.items():
        if isinstance(value, types_):
            return kind
    return type(value).__name__


def difference(expected, got, tolerance=TOLERANCE, depth=0):
    """Return what is wrong with `got`, or "" where it is as good as `expected`."""
    if depth > DEEPEST:
        return "devuelve listas dentro de listas sin fin"
    # First what kind of thing it is: a whole number may stand for any.
    wanted, kind = kind_of(expected), kind_of(got)
    if kind != wanted and (kind, wanted) != ("int", "float"):
        return _other_kind(wanted, kind)
    # Then what is in it, with methods that nobody has changed.
    expected, got = plain(expected), plain(got)
    if wanted in ("float", "int", "bool", "complex"):
        return _other_number(expected, got, tolerance)
    if wanted == "array":
        return _other_array(expected, got, tolerance)
    if wanted == "list":
        return _other_list(expected, got, tolerance, depth)
    if wanted == "dict":
        return _other_dict(expected, got, tolerance, depth)
    same = expected is got or _equal(expected, got, tolerance, depth)
    return "" if same else f"da {shown(got)} y debe dar {shown(expected)}"


def plain(value):
    """Return a value of Python's or NumPy's own types in place of one of a class made from them.

    Such a class may say that it equals everything, or never end.
    """
    if type(value) in (int, float, str):
        return value
    if isinstance(value, np.ndarray):
        return np.asarray(value) if kind_of(value) == "array" else value.item()
    if isinstance(value, np.generic):
        return value.item()
    for kind, make in _PLAIN:
        if isinstance(value, kind):
            return make(value)
    return value


_PLAIN = (
    (bool, bool),
    (int, int.__pos__),
    (float, float.__pos__),
    (complex, complex.__pos__),
    (str, lambda text: str.__getitem__(text, slice(None))),
    (list, lambda items: list.__getitem__(items, slice(None))),
    (tuple, lambda items: list(tuple.__getitem__(items, slice(None)))),
    (dict, lambda pairs: dict(dict.items(pairs))),
    (set | frozenset, lambda items: set().union(items)),
)


def _equal(expected, got, tolerance, depth):
    if type(expected).__eq__ is object.__eq__:  # it would only equal itself
        inside = [getattr(value, "__dict__", None) for value in (expected, got)]
        return None not in inside and not difference(*inside, tolerance, depth + 1)
    try:
        return bool(expected == got)
    except Exception:
        return False


def _other_kind(wanted, kind):
    remedy = {
        ("array", "list"): ": conviértelo con np.array(...)",
        ("list", "array"): ": conviértelo con .tolist()",
        ("list", "generator"): ": conviértelo con list(...)",
        ("int", "float"): ": usa // o int(...)",
    }.get((wanted, kind), "")
    return f"devuelve {NAMES.get(kind, kind)} y se pide {NAMES.get(wanted, wanted)}{remedy}"


def _other_number(expected, got, tolerance):
    if isinstance(expected, int):
        return "" if expected == got else _gives(got, expected)
    try:
        number = type(expected)(got)
    except OverflowError:
        return _gives(got, expected)
    if _near(number, expected, tolerance):
        return ""
    if np.isnan(number):
        return f"da nan, que no es un número, y debe dar {shown(expected)}"
    return _gives(got, expected)


def _near(got, expected, tolerance):
    return np.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True)


def _other_array(expected, got, tolerance):
    if got.shape != expected.shape:
        return f"devuelve un array de forma {got.shape} y se pide {expected.shape}"
    # NumPy's letters: b is bool, i and u are whole numbers, f has decimals, c is complex.
    wanted, kind = expected.dtype.kind, got.dtype.kind
    if kind not in ("biufc" if wanted == "c" else "biuf"):
        return f"devuelve un array de {got.dtype} y se piden números"
    if wanted in "iu" and kind == "f":
        return f"devuelve números con decimales ({got.dtype}) y se piden enteros"
    if (wanted == "b") != (kind == "b"):
        asked = "True o False" if wanted == "b" else "números"
        return f"devuelve un array de {got.dtype} y se piden {asked}"
    # Whole numbers are right or wrong; others may be a hair off.
    near = expected == got if wanted in "biu" else _near(got, expected, tolerance)
    if near.all():
        return ""
    first_wrong = np.argwhere(~near)[0].tolist()
    place = tuple(first_wrong)
    return _gives(got[place], expected[place], f" en la posición {first_wrong}")


def _other_list(expected, got, tolerance, depth):
    if len(got) != len(expected):
        return f"devuelve {len(got)} elementos y deben ser {len(expected)}"
    for k, (one, other) in enumerate(zip(expected, got, strict=True)):
        if said := difference(one, other, tolerance, depth + 1):
            return f"en el elemento {k}, {said}"
    return ""


def _other_dict(expected, got, tolerance, depth):
    for key in expected:
        if key not in got:
            return f"no da nada para {shown(key)}"
        if said := difference(expected[key], got[key], tolerance, depth + 1):
            return f"para {shown(key)}, {said}"
    more = [key for key in got if key not in expected]
    return f"da también {shown(more[0])}, que sobra" if more else ""
