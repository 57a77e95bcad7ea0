"""Plain data as JSON and back, without pickle.

`inner` loads this file inside the box, where it may be changed; outside,
`decode` trusts nothing: it makes only the types below, of bounded size.

None, bool, str, float and int stand for themselves. All else is a list that
begins with a tag: `c` complex, `b` bytes, `l` list, `t` tuple, `s` set, `z`
frozenset, `d` dict as pairs, `a` array (type, shape, bytes), `r` range, `g`
generator (its first items), `fn` function, `...` Ellipsis, `?` the name of any
other type. `o`, an object of musiclab's own, goes into the box only.
"""

import base64
import dataclasses
import re
import types
from collections import Counter

import numpy as np

MOST_NODES, DEEPEST, MOST_ITEMS = 200_000, 30, 10_000
MOST_BITS, MOST_BYTES = 14_000, 4 * 2**20  # JSON's integers have 4,300 digits at most
MOST_DIMENSIONS = 8  # of an array: what shows it walks through all of them
MOST_ALIKE = 100  # values of one hash in a set or a dict: each is compared with all others
TOO_LARGE = "un valor demasiado grande"
DTYPE = re.compile(r"[<>|=]?[biufc](1|2|4|8|16)")
SEQUENCES = {"l": list, "t": tuple, "s": set, "z": frozenset}


class TooLargeError(ValueError):
    """More data than one answer may hold."""


class _Budget:
    def __init__(self):
        self.nodes, self.bytes = MOST_NODES, MOST_BYTES

    def spend(self, n_bytes=0):
        self.nodes -= 1
        self.bytes -= n_bytes
        if self.nodes < 0 or self.bytes < 0:
            raise TooLargeError


# In the box, or of arguments outside it


def encode(value, objects=False):
    """Return any value as JSON data; of what is none of the types above only the type's name.

    objects: whether objects of musiclab's own are sent with all they hold

    Never raises for what a student returned.
    """
    try:
        return _encode(value, _Budget(), 0, objects)
    except (TooLargeError, RecursionError, MemoryError):
        return ["?", TOO_LARGE]
    except Exception:  # a class of the student's may do anything
        return ["?", type(value).__name__]


def _encode(value, budget, depth, objects):
    budget.spend()
    if depth > DEEPEST:
        raise TooLargeError
    if value is None or value is True or value is False:
        return value
    if value is ...:
        return ["..."]
    if isinstance(value, np.generic):
        own = value.item()
        return ["?", type(value).__name__] if isinstance(own, np.generic) else _simple(own, budget)
    if isinstance(value, int | float | complex | str | bytes | bytearray):
        return _simple(value, budget)
    if isinstance(value, np.ndarray):
        return _array(np.asarray(value), budget)
    if isinstance(value, range):
        return ["r", *(_simple(n, budget) for n in (value.start, value.stop, value.step))]

    def inside(items):
        return [_encode(item, budget, depth + 1, objects) for item in items]

    if isinstance(value, dict):
        return ["d", [inside(pair) for pair in dict.items(value)]]
    for tag, kind in SEQUENCES.items():
        if isinstance(value, kind):
            return [tag, inside(kind.__iter__(value))]
    if isinstance(value, types.GeneratorType | map | filter | zip):
        first = [item for item, _ in zip(value, range(MOST_ITEMS), strict=False)]
        return ["g", inside(first)]
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType):
        return ["fn"]
    kind = type(value)
    if objects and kind.__module__.startswith("musiclab."):
        return ["o", kind.__module__, kind.__name__, inside([_state(value)])[0]]
    return ["?", kind.__name__]


def _state(value):
    """Return {name: what an object holds}, with or without slots."""
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return vars(value)


def _rebuilt(kind, state):
    """Return an object of a class with just this state, as `_state` found it."""
    made = object.__new__(kind)
    for name, value in dict.items(state):
        object.__setattr__(made, name, value)
    return made


def _simple(value, budget):
    """Return a number or a text as a value of Python's own type, whatever class it was."""
    if isinstance(value, int):
        value = int.__pos__(value)
        if value.bit_length() > MOST_BITS:
            raise TooLargeError
        return value
    if isinstance(value, float):
        return float.__pos__(value)
    if isinstance(value, complex):
        value = complex.__pos__(value)
        return ["c", value.real, value.imag]
    if isinstance(value, str):
        value = str.__getitem__(value, slice(None))
        budget.spend(len(value))
        return value
    value = bytes(value)
    budget.spend(len(value))
    return ["b", base64.b64encode(value).decode()]


def _array(value, budget):
    if value.dtype.kind not in "biufc":
        return ["?", f"un array de {value.dtype}"[:60]]
    budget.spend(value.nbytes)
    raw = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
    return ["a", value.dtype.str, list(value.shape), raw]


# Outside the box, or of arguments inside it


def decode(data, class_of=None):
    """Return the value of JSON data; raise ValueError for what `encode` does not make.

    class_of: gives the class of a module and a name, or raises LookupError; without it no
        object is made
    """
    try:
        return _decode(data, _Budget(), 0, class_of)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError) as error:
        raise ValueError("not what encode makes") from error


def _decode(data, budget, depth, class_of):
    budget.spend()
    if depth > DEEPEST + 1:
        raise ValueError("too deep")
    if isinstance(data, str):
        budget.spend(len(data))
        # Half a character cannot be written to any file.
        return data.encode("utf-8", "replace").decode()
    if data is None or isinstance(data, bool | int | float):
        return data
    tag, *rest = data

    def inside(items):
        return [_decode(item, budget, depth + 1, class_of) for item in items]

    if tag in SEQUENCES:
        items = inside(rest[0])
        return SEQUENCES[tag](_spread(items) if tag in "sz" else items)
    if tag == "d":
        pairs = [inside(pair) for pair in rest[0]]
        _spread([key for key, _ in pairs])
        return dict(pairs)
    if tag == "g":
        return (item for item in inside(rest[0]))
    if tag == "o" and class_of:
        return _rebuilt(class_of(rest[0], rest[1]), inside(rest[2:])[0])
    if tag == "a":
        return _decoded_array(*rest, budget)
    return SINGLE[tag](*rest)


def _spread(keys):
    """Return the values of a set or the keys of a dict, unless too many share a hash.

    Made of multiples of 2**61 - 1, which all do, one set would hold the interpreter for
    minutes, and with it all that is judged beside it.
    """
    if any(n > MOST_ALIKE for n in Counter(map(hash, keys)).values()):
        raise ValueError("hashes that are alike")
    return keys


def _decoded_array(dtype, shape, raw, budget):
    if not DTYPE.fullmatch(dtype) or len(shape) > MOST_DIMENSIONS:
        raise ValueError("not an array of numbers")
    raw = base64.b64decode(raw)
    budget.spend(len(raw))
    return np.frombuffer(raw, np.dtype(dtype)).reshape([int(n) for n in shape]).copy()


def _a_function():
    """Stand for a function that a student returned."""


def _unknown(name):
    """Return an object of which nothing is known but the name of its type."""
    name = re.sub(r"[^\w .\[\]]", "", name)[:60] or "algo"
    return type(name, (), {"__slots__": (), "__repr__": lambda self: f"algo de tipo {name}"})()


# What holds no other values.
SINGLE = {
    "...": lambda: ...,
    "fn": lambda: _a_function,
    "?": lambda name: _unknown(str(name)),
    "c": lambda real, imaginary: complex(real, imaginary),  # which are no texts then
    "b": lambda text: base64.b64decode(text),
    "r": range,
}
