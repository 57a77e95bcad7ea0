"""Odd MIDI files as bytes, as hypothesis strategies."""

from hypothesis import strategies as st

DIVISIONS = st.sampled_from([480, 96, 120, 7, 1, 3, 24, 100, 384, 32767])
PITCHES = st.sampled_from([60, 61, 62, 64, 67, 0, 127])
CHANNELS = st.sampled_from([0, 0, 0, 0, 1, 9])
VELOCITIES = st.sampled_from([64, 64, 1, 127, 100])


def number(value):
    """Return an integer as MIDI's number of variable length."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(value & 0x7F | 0x80)
    return bytes(reversed(found))


def chunk(name, content):
    return name + len(content).to_bytes(4, "big") + content


def file_of(division, tracks, kind=1):
    """Return the bytes of a file of tracks, which are bytes already."""
    header = b"".join(n.to_bytes(2, "big") for n in (kind, len(tracks), division))
    return chunk(b"MThd", header) + b"".join(chunk(b"MTrk", track) for track in tracks)


def track_of(events, running=False):
    """Return a track of (tick, bytes of an event) pairs, in running status where that can be."""
    found, now, status = [], 0, None
    for tick, event in events:
        short = running and event[0] == status and event[0] < 0xF0
        found.append(number(tick - now) + event[short:])
        now = tick
        if event[0] != 0xFF:
            status = event[0]
    return b"".join(found)


def about(kind, content):
    """Return the bytes of an event about the file."""
    return bytes((0xFF, kind)) + number(len(content)) + content


@st.composite
def ticks(draw, division, longest):
    """On the grid, near it, or anywhere; up to so many quarters."""
    per_quarter = draw(st.sampled_from([4, 4, 3, 3, 12, 1, 8, 5]))
    grid = draw(st.integers(0, longest * per_quarter)) * division // per_quarter
    return max(grid + draw(st.sampled_from([0, 0, 0, 0, 1, -1, division // 5, -division // 30])), 0)


ABOUT = st.one_of(
    st.builds(lambda n, d: about(0x58, bytes((n, d, 24, 8))), st.integers(1, 7), st.integers(0, 4)),
    st.builds(lambda n: about(0x51, n.to_bytes(3, "big")), st.integers(100_000, 2_000_000)),
    st.just(about(0x59, b"\x02\x00")),
    st.sampled_from([about(kind, b"Oboe") for kind in (1, 3, 4, 5)]),
    st.builds(lambda c, n: bytes((0xC0 | c, n)), CHANNELS, st.integers(0, 127)),
    st.sampled_from([b"\xf0\x02\x01\xf7", b"\xb0\x7b\x00", b"\xe0\x00\x40", b"\xff\x60\x00"]),
)


@st.composite
def musical_tracks(draw, division, longest=9, max_notes=14):
    """Tracks of notes that begin and end, most on a grid, with marks between them."""
    events = []
    for _ in range(draw(st.integers(0, max_notes))):
        start, length = draw(ticks(division, longest)), draw(ticks(division, draw(st.just(3))))
        pitch, channel = draw(PITCHES), draw(CHANNELS)
        off = draw(
            st.sampled_from([bytes((0x80 | channel, pitch, 64)), bytes((0x90 | channel, pitch, 0))])
        )
        events.append((start, 1, bytes((0x90 | channel, pitch, draw(VELOCITIES)))))
        if draw(st.integers(0, 19)):
            events.append((start + length, draw(st.sampled_from([0, 0, 0, 2])), off))
    for event in draw(st.lists(ABOUT, max_size=3)):
        events.append((draw(ticks(division, longest)) * draw(st.integers(0, 1)), 0, event))
    events.sort(key=lambda event: event[:2])
    return track_of([(tick, event) for tick, _, event in events], draw(st.booleans()))


@st.composite
def musical_files(draw):
    division = draw(DIVISIONS)
    tracks = draw(st.lists(musical_tracks(division), min_size=1, max_size=3))
    return file_of(division, tracks, kind=draw(st.integers(0, 1)))


RAW = st.one_of(
    st.builds(
        lambda kind, channel, *values: bytes((kind | channel, *values)),
        st.sampled_from([0x80, 0x80, 0x90, 0x90, 0x90, 0xA0, 0xB0, 0xE0]),
        CHANNELS,
        st.sampled_from([60, 61, 61, 122, 126, 128, 200, 255]),
        st.sampled_from([0, 0, 64, 127, 255]),
    ),
    st.builds(lambda pitch, velocity: bytes((0x90, pitch, velocity)), PITCHES, VELOCITIES),
    st.builds(lambda pitch: bytes((0x80, pitch, 0)), PITCHES),
    ABOUT,
    st.builds(about, st.sampled_from([0, 2, 6, 32, 47, 84, 127, 96]), st.binary(max_size=5)),
    st.just(b"\xf7\x01\x00"),
)


@st.composite
def raw_files(draw):
    """Files whose events need not make sense, of short deltas."""
    division = draw(DIVISIONS)
    delta = st.sampled_from([0, 0, 1, division // 4, division // 3, division, 3 * division])
    pairs = st.lists(st.tuples(delta, RAW), min_size=12, max_size=40)
    running = draw(st.booleans())
    tracks = []
    for events in draw(st.lists(pairs, min_size=1, max_size=3)):
        now, track = 0, []
        for step, event in events:
            now += step
            track.append((now, event))
        tracks.append(track_of(track, running))
    return file_of(division, tracks)


@st.composite
def mutated(draw, files):
    """Bytes of a file with some of them changed, cut out, put in or doubled."""
    data = bytearray(draw(files))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(["change"] * 6 + ["cut", "insert", "double", "end", "append"]))
        size = draw(st.integers(1, 6))
        if how == "change":
            data[start : start + 1] = bytes([draw(st.integers(0, 255))])
        elif how == "cut":
            del data[start : start + size]
        elif how == "insert":
            data[start:start] = draw(st.binary(min_size=size, max_size=size))
        elif how == "double":
            data[start:start] = data[start : start + size]
        elif how == "end":
            del data[start:]
        else:
            data += draw(st.binary(min_size=size, max_size=size))
    return bytes(data)
