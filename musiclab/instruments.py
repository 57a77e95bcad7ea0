"""The 128 instruments of General MIDI, by their names in Spanish and English.

Conventions: a program is a number 0-127, as in the MIDI message; printed
lists of General MIDI count from 1. Names are found whatever their case and
accents, in either language, and by the short names that the course uses.

Source: General MIDI System Level 1 (MIDI Manufacturers Association, 1991).
"""

import unicodedata
from difflib import get_close_matches

from musiclab.errors import ParameterError

# One line a family of eight: Spanish | English, in the order of the programs.
_FAMILIES = """
piano de cola | acoustic grand piano; piano brillante | bright acoustic piano
piano de cola eléctrico | electric grand piano; piano de taberna | honky-tonk piano
piano eléctrico 1 | electric piano 1; piano eléctrico 2 | electric piano 2
clavecín | harpsichord; clavinet | clavinet
celesta | celesta; glockenspiel | glockenspiel; caja de música | music box
vibráfono | vibraphone; marimba | marimba; xilófono | xylophone
campanas tubulares | tubular bells; salterio | dulcimer
órgano Hammond | drawbar organ; órgano percusivo | percussive organ; órgano de rock | rock organ
órgano de iglesia | church organ; armonio | reed organ; acordeón | accordion
armónica | harmonica; bandoneón | tango accordion
guitarra española | acoustic guitar (nylon); guitarra acústica | acoustic guitar (steel)
guitarra de jazz | electric guitar (jazz); guitarra eléctrica limpia | electric guitar (clean)
guitarra eléctrica apagada | electric guitar (muted); guitarra saturada | overdriven guitar
guitarra distorsionada | distortion guitar; armónicos de guitarra | guitar harmonics
bajo acústico | acoustic bass; bajo con dedos | electric bass (finger)
bajo con púa | electric bass (pick); bajo sin trastes | fretless bass
bajo slap 1 | slap bass 1; bajo slap 2 | slap bass 2
bajo sintético 1 | synth bass 1; bajo sintético 2 | synth bass 2
violín | violin; viola | viola; violonchelo | cello; contrabajo | contrabass
cuerdas en trémolo | tremolo strings; cuerdas en pizzicato | pizzicato strings
arpa | orchestral harp; timbales | timpani
conjunto de cuerda 1 | string ensemble 1; conjunto de cuerda 2 | string ensemble 2
cuerda sintética 1 | synth strings 1; cuerda sintética 2 | synth strings 2
coro en a | choir aahs; coro en o | voice oohs
voz sintética | synth voice; golpe de orquesta | orchestra hit
trompeta | trumpet; trombón | trombone; tuba | tuba; trompeta con sordina | muted trumpet
trompa | french horn; sección de metales | brass section
metales sintéticos 1 | synth brass 1; metales sintéticos 2 | synth brass 2
saxofón soprano | soprano sax; saxofón alto | alto sax; saxofón tenor | tenor sax
saxofón barítono | baritone sax; oboe | oboe; corno inglés | english horn
fagot | bassoon; clarinete | clarinet
flautín | piccolo; flauta | flute; flauta dulce | recorder; flauta de Pan | pan flute
botella soplada | blown bottle; shakuhachi | shakuhachi; silbato | whistle; ocarina | ocarina
sintetizador cuadrado | lead 1 (square); sintetizador de sierra | lead 2 (sawtooth)
sintetizador calíope | lead 3 (calliope); sintetizador chiff | lead 4 (chiff)
sintetizador charango | lead 5 (charang); sintetizador de voz | lead 6 (voice)
sintetizador en quintas | lead 7 (fifths); sintetizador con bajo | lead 8 (bass + lead)
fondo new age | pad 1 (new age); fondo cálido | pad 2 (warm)
fondo polifónico | pad 3 (polysynth); fondo de coro | pad 4 (choir)
fondo de arco | pad 5 (bowed); fondo metálico | pad 6 (metallic)
fondo de halo | pad 7 (halo); fondo barrido | pad 8 (sweep)
lluvia | fx 1 (rain); banda sonora | fx 2 (soundtrack); cristal | fx 3 (crystal)
atmósfera | fx 4 (atmosphere); brillo | fx 5 (brightness); duendes | fx 6 (goblins)
ecos | fx 7 (echoes); ciencia ficción | fx 8 (sci-fi)
sitar | sitar; banjo | banjo; shamisen | shamisen; koto | koto
kalimba | kalimba; gaita | bag pipe; violín folclórico | fiddle; shanai | shanai
campanilla | tinkle bell; agogó | agogo; tambor metálico | steel drums
caja china | woodblock; taiko | taiko drum; tom melódico | melodic tom
tambor sintético | synth drum; platillo invertido | reverse cymbal
ruido de trastes | guitar fret noise; respiración | breath noise; olas | seashore
pájaro | bird tweet; teléfono | telephone ring; helicóptero | helicopter
aplausos | applause; disparo | gunshot
"""

NAMES = tuple(
    tuple(name.strip() for name in pair.split("|"))
    for pair in _FAMILIES.strip().replace("\n", ";").split(";")
)
SHORT_NAMES = {
    "piano": 0, "clave": 6, "clavicémbalo": 6, "órgano": 19, "organ": 19, "guitarra": 24,
    "guitar": 24, "bajo": 32, "bass": 32, "chelo": 42, "harp": 46, "cuerdas": 48, "strings": 48,
    "coro": 52, "choir": 52, "saxofón": 65, "sax": 65,
}  # fmt: skip


def instrument_program(name):
    """Return the General MIDI program (0-127) of an instrument.

    name: in Spanish or English, or the number itself
    Raises ParameterError with the names that come close.
    """
    key, number = _plain(name), str(name).strip()
    if number.isdecimal() and int(number) < len(NAMES):
        return int(number)
    if key not in _PROGRAMS:
        close = dict.fromkeys(_PROGRAMS[k] for k in get_close_matches(key, _PROGRAMS, 3, 0.5))
        some = [NAMES[k][0] for k in close] or ["piano", "clave", "órgano", "violín", "flauta"]
        raise ParameterError(
            f"no hay instrumento «{name}»: prueba con {', '.join(some)}, con otro nombre de "
            "General MIDI en español o en inglés, o con su número, de 0 a 127"
        )
    return _PROGRAMS[key]


def instrument_name(program):
    """Return the Spanish name of a General MIDI program."""
    return NAMES[program][0]


def _plain(name):
    letters = unicodedata.normalize("NFKD", str(name).casefold())
    return "".join(c for c in letters if c.isalnum())


_PROGRAMS = {_plain(name): k for k, pair in enumerate(NAMES) for name in pair}
_PROGRAMS |= {_plain(name): program for name, program in SHORT_NAMES.items()}
