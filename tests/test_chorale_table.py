"""The public table on a few small chorales, through the command that users run."""

import csv
import re

import numpy as np
import pytest
from click.testing import CliRunner
from strategies import random_chorale

from musiclab import chorales, cli
from musiclab.chorales import corpus, read_chorales, table
from musiclab.errors import DatasetError
from musiclab.midi import load_midi


def write_chorale(path, chorale):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["note0,note1,note2,note3", *(",".join(map(str, row)) for row in chorale)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def data(tmp_path):
    for part, seeds in (("train", range(4)), ("valid", (10, 11)), ("test", (12,))):
        for seed in seeds:
            chorale = random_chorale(seed, 40)
            chorale = np.where(chorale > 0, np.clip(chorale, 50, 75), 0)
            write_chorale(tmp_path / "jsb" / part / f"{seed}.csv", chorale)
    return tmp_path / "jsb"


@pytest.fixture
def small(monkeypatch):
    """The command's model, so small that a test can wait for it."""
    defaults = {"units": 4, "width": 6, "window": 16, "batch_size": 3}
    original = chorales.Settings.__init__

    def init(self, **chosen):
        original(self, **defaults | chosen)

    monkeypatch.setattr(chorales.Settings, "__init__", init)


def run(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def test_the_command_prints_the_table_and_leaves_a_model_that_writes(data, small, tmp_path):
    table, model = tmp_path / "out" / "jsb.csv", tmp_path / "out" / "model.safetensors"
    result = run("bench", "jsb", "--data", data, "--split", "test", "--steps", 3,
                 "--results", table, "--save", model)  # fmt: skip
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(table.open()))
    assert len(rows) == 6 and {row["part"] for row in rows} == {"valid", "test"}
    for row in rows:
        assert f"{float(row['nll']):.4f}" in result.output
        voices = [float(row[voice]) for voice in ("soprano", "alto", "tenor", "bass")]
        assert np.mean(voices) == pytest.approx(float(row["nll"]), abs=2e-4)

    out = tmp_path / "coral"
    result = run("chorale", model, "--bars", 1, "--output", out)
    assert result.exit_code == 0, result.output
    assert re.search(r"comparte \d+ notas|no comparte", result.output)
    assert (out / "copia.txt").read_text(encoding="utf-8").strip() in result.output
    song = load_midi(out / "song.mid")
    assert song.duration_ql <= 4 and (out / "song.mp3").stat().st_size > 1000

    out = tmp_path / "armonizada"
    result = run("harmonise", model, "Do5 Re5:1/2 Do5:1/2", "--output", out)
    assert result.exit_code == 0, result.output
    song = load_midi(out / "song.mid")
    upper = [event.pitches[0] for event in song.events if event.part == 0]
    assert upper == [72, 74, 72] and song.n_parts == 4 and song.duration_ql == 2
    result = run("harmonise", model, "Do9")
    assert (
        result.exit_code == 1 and result.output.count("\n") <= 2 and "transpórtala" in result.output
    )
    result = run("chorale", model, "--key", "sol dórico")
    assert result.exit_code == 1 and "«sol dórico»" in result.output


def test_the_copy_baseline_by_hand():
    """Two voices move in every sixteenth: its accuracy is the share of those that stay."""
    chorale = np.tile([72, 67, 60, 48], (40, 1))
    chorale[::2, :2] += 1
    known = corpus.Corpus([chorale], chorales.Settings())
    row = next(table._baselines(known, {"valid": [chorale]}))
    still = (chorale[1:] == chorale[:-1]).sum() / chorale.size
    assert row.accuracy == pytest.approx(still, abs=1.5 / len(chorale))
    assert row.nll == pytest.approx(np.mean([row.soprano, row.alto, row.tenor, row.bass]))


def test_the_n_gram_knows_every_key():
    chorale = random_chorale(1, 60)
    chorale[chorale == 0] = 60
    known = corpus.Corpus([chorale], chorales.Settings(margin=table.N_GRAM_MARGIN))
    rows = [*table._baselines(known, {"same": [chorale], "higher": [chorale + 2]})]
    same, higher = rows[-2:]
    assert abs(same.nll - higher.nll) < 0.2 and higher.nll < 1


def test_a_folder_that_is_missing_is_named(data):
    with pytest.raises(DatasetError, match="nada"):
        table.read_parts(data, ["nada"])
    result = run("bench", "jsb", "--data", data / "train")
    assert result.exit_code == 1 and "--data" in result.output


def test_a_broken_file_stops_the_command_with_one_sentence(data):
    (data / "valid" / "10.csv").write_text("a,b\n1,2\n")
    result = run("bench", "jsb", "--data", data)
    assert result.exit_code == 1 and result.output.count("\n") <= 2
    assert "10.csv" in result.output and "línea 2" in result.output


def test_a_folder_is_no_file_to_save_to(data, tmp_path):
    result = run("bench", "jsb", "--data", data, "--save", tmp_path)
    assert result.exit_code == 1 and "es una carpeta" in result.output


def test_what_it_learns_from_is_not_judged(data):
    result = run("bench", "jsb", "--data", data, "--split", "train")
    assert result.exit_code == 1 and "train" in result.output


def test_an_unknown_idea_stops_the_command(data):
    result = run("bench", "jsb", "--data", data, "--without", "suerte")
    assert result.exit_code == 1 and "«suerte»" in result.output


def test_a_file_that_cannot_be_written_is_told_before_training(data, tmp_path):
    (tmp_path / "file").write_text("")
    result = run("bench", "jsb", "--data", data, "--save", tmp_path / "file" / "m.safetensors")
    assert result.exit_code == 1 and "NLL" not in result.output


def test_a_pitch_out_of_reach_stops_the_command_before_training(data):
    write_chorale(data / "valid" / "high.csv", np.full((40, 4), 120))
    result = run("bench", "jsb", "--data", data)
    assert result.exit_code == 1 and "120" in result.output and "grama" not in result.output


ROWS = "a,b,c,d\n" + "60,55,52,48\n" * 3


@pytest.mark.parametrize(
    "text, answer",
    [
        (ROWS.replace("\n", "\r\n"), ""),
        ("\ufeff" + ROWS, ""),
        (ROWS + "\n\n,,,\n", ""),
        (ROWS.replace(",", ", "), ""),
        (ROWS.replace(",", ";"), "línea 2"),
        (ROWS.replace(",", "\t"), "línea 2"),
        (ROWS + "\n60,55,52,48\n", "línea 5"),
        (ROWS + "60.0,55,52,48\n", "línea 5"),
        (ROWS + "-60,55,52,48\n", "línea 5"),
        (ROWS + "60,55,52\n", "línea 5"),
        (ROWS + "60,55,52,48,40\n", "línea 5"),
        (ROWS + "60,55,52,\n", "línea 5"),
        (ROWS + "60,55,52,²\n", "línea 5"),
        (ROWS + "60,55,52,\x1e48\n", "línea 5"),
        (ROWS + "128,55,52,48\n", "128"),
        (ROWS + f"{'9' * 5000},55,52,48\n", "línea 5"),
        (ROWS[8:], "primera línea"),
        ("\ufeff" + ROWS[8:], "primera línea"),
        ("a,b,c,d\n\n", "ninguna semicorchea"),
        ("", "ninguna semicorchea"),
        ("x" * 200_000, "no se puede leer"),
        (ROWS + "60,55,52,48\n" * 100_000, "demasiado grande"),
        ("\0" * 100 + ROWS, ""),
        ("\udcff", "no se puede leer"),
    ],
    ids=range(24),
)
def test_csv_of_any_bytes_is_read_or_one_sentence(tmp_path, text, answer):
    (tmp_path / "a.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    if not answer:
        assert [chorale.tolist() for chorale in read_chorales(tmp_path)] == [[[60, 55, 52, 48]] * 3]
        return
    with pytest.raises(DatasetError, match=answer) as caught:
        read_chorales(tmp_path)
    assert len(str(caught.value).removeprefix(str(tmp_path))) < 500


def test_a_folder_called_csv_is_one_sentence(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(DatasetError, match=r"a\.csv"):
        read_chorales(tmp_path)


def test_the_shortest_chorales_will_do(tmp_path, small):
    for part in ("train", "valid"):
        write_chorale(tmp_path / part / "a.csv", [[60, 0, 0, 0]])
    result = run("bench", "jsb", "--data", tmp_path, "--steps", 1)
    assert result.exit_code == 0, result.output
