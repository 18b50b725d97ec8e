from pathlib import Path

import pytest

from gemini_emulator import EmulatorConfig, EmulatorSettings
from gemini_emulator.command import run


@pytest.fixture(autouse=True)
def _no_env_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", EmulatorSettings.model_fields)
def test_every_setting_is_described_and_has_a_default(name: str) -> None:
    info = EmulatorSettings.model_fields[name]

    assert info.description is not None
    assert info.description.endswith(".")
    assert not info.is_required()


def test_the_default_settings_are_the_default_configuration() -> None:
    assert EmulatorSettings().config == EmulatorConfig()


def test_a_setting_comes_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMULATOR_PROCESSING_DELAY_S", "3")
    monkeypatch.setenv("EMULATOR_CORS_ORIGINS", "https://a.example/, https://b.example")

    settings = EmulatorSettings()

    assert settings.config.processing_delay_s == 3
    assert settings.cors_origins == ("https://a.example", "https://b.example")


def test_a_wrong_value_ends_the_command_with_a_line_that_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMULATOR_REQUESTS_PER_MINUTE", "0")

    with pytest.raises(SystemExit, match=r"^gemini-emulator: EMULATOR_REQUESTS_PER_MINUTE: "):
        run(host="127.0.0.1", port=0, until_eof=False)
