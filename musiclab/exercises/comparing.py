"""What a student's result lacks of the right one, in a Spanish phrase.

Conventions: numbers agree within `tolerance`, relative for those beyond 1;
lists and tuples are the same; NumPy's numbers are numbers. A phrase goes
behind «tu función ».
"""

import reprlib
import types

import numpy as np

TOLERANCE = 1e-6
DEEPEST = 20

_short = reprlib.Repr()
_short.maxlist = _short.maxtuple = _short.maxset = _short.maxdict = 8
_short.maxstring, _short.maxother, _short.maxlong, _short.maxlevel = 60, 80, 30, 3

NAMES = {
    "bool": "True o False",
    "int": "un entero (int)",
    "float": "un número (float)",
    "str": "un texto (str)",
    "list": "una lista",
    "dict": "un diccionario (dict)",
    "set": "un conjunto (set)",
    "array": "un array de NumPy",
    "generator": "un generador",
    "NoneType": "None",
    "function": "una función",
}


def shown(value):
    """Return a value as text of one short line, whatever its `repr` does."""
    try:
        if isinstance(value, np.ndarray):
            inside = np.array2string(value, precision=4, threshold=8, edgeitems=3)
            text = f"array({' '.join(inside.split())})"
        elif isinstance(value, np.generic):
            text = _short.repr(value.item())
        elif isinstance(value, float):
            text = f"{value:.6g}"
        else:
            text = _short.repr(value)
    except BaseException:
        text = f"algo de tipo {type(value).__name__}"
    return text if len(text) <= 160 else f"{text[:157]}..."


def kind_of(value):
    """Return the kind of a value, a key of NAMES or the name of its type."""
    if isinstance(value, bool | np.bool_):
        return "bool"
    if isinstance(value, int | np.integer):
        return "int"
    if isinstance(value, float | np.floating):
        return "float"
    if isinstance(value, np.ndarray):
        return "array" if value.ndim else kind_of(value.item())
    if isinstance(value, list | tuple):
        return "list"
    if isinstance(value, types.GeneratorType | map | filter | zip | range):
        return "generator"
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType):
        return "function"
    for kind in (str, dict, set):
        if isinstance(value, kind):
            return kind.__name__
    return "set" if isinstance(value, frozenset) else type(value).__name__


def difference(expected, got, tolerance=TOLERANCE, depth=0):
    """Return what is wrong with `got`, or "" where it is as good as `expected`."""
    if depth > DEEPEST:
        return "devuelve listas dentro de listas sin fin"
    wanted, kind = kind_of(expected), kind_of(got)
    if kind == "int" and wanted == "float":
        kind = "float"
    if kind != wanted:
        return _other_kind(wanted, kind)
    if wanted in ("float", "int", "bool"):
        return _other_number(expected, got, tolerance)
    if wanted == "array":
        return _other_array(np.asarray(expected), np.asarray(got), tolerance)
    if wanted == "list":
        return _other_list(list(expected), list(got), tolerance, depth)
    if wanted == "dict":
        return _other_dict(expected, got, tolerance, depth)
    return "" if _equal(expected, got) else f"da {shown(got)} y debe dar {shown(expected)}"


def _equal(expected, got):
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
    expected_number, number = float(expected), float(got)
    if np.isnan(number) and not np.isnan(expected_number):
        return f"da nan, que no es un número, y debe dar {shown(expected)}"
    if np.isclose(number, expected_number, rtol=tolerance, atol=tolerance, equal_nan=True):
        return ""
    return f"da {shown(got)} y debe dar {shown(expected)}"


def _other_array(expected, got, tolerance):
    if got.shape != expected.shape:
        return f"devuelve un array de forma {got.shape} y se pide {expected.shape}"
    if got.dtype.kind not in "biuf":
        return f"devuelve un array de {got.dtype} y se piden números"
    if expected.dtype.kind in "iu" and got.dtype.kind == "f":
        return f"devuelve números con decimales ({got.dtype}) y se piden enteros"
    near = np.isclose(got, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if near.all():
        return ""
    place = tuple(int(k) for k in np.argwhere(~near)[0])
    where = f"[{', '.join(map(str, place))}]"
    return f"da {shown(got[place])} en la posición {where} y debe dar {shown(expected[place])}"


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
