"""The command line hands its arguments on, and turns refusals into messages."""

import pytest

from scalekit import __main__ as cli


@pytest.fixture
def called(monkeypatch):
    """What each command was called with."""
    calls = []

    def stand_in(name, code):
        def command(*args, **options):
            calls.append((name, args, options))
            return code

        return command

    codes = {"scoreboard": None, "reproduce": 1, "catalogue": None}
    for name, code in codes.items():
        monkeypatch.setitem(cli.COMMANDS, name, stand_in(name, code))
    return calls


@pytest.mark.parametrize(
    ("arguments", "options", "code"),
    [
        (["scoreboard"], {"json": False}, 0),
        (["scoreboard", "--json"], {"json": True}, 0),
        (["catalogue"], {}, 0),
        (["reproduce"], {"names": [], "save": False, "because": ""}, 1),
        (
            ["reproduce", "--save", "--because", "why", "one", "two"],
            {"names": ["one", "two"], "save": True, "because": "why"},
            1,
        ),
    ],
)
def test_arguments_are_handed_on(called, arguments, options, code):
    assert cli.main(arguments) == code
    assert called == [(arguments[0], (), options)]


def test_the_commands_are_those_of_the_book():
    assert {name: f.__module__ for name, f in cli.COMMANDS.items()} == {
        "scoreboard": "scalekit.book.board",
        "reproduce": "scalekit.book.reproduce",
        "catalogue": "scalekit.book.catalogue",
    }


def test_a_refusal_is_a_message_and_code_2(monkeypatch, capsys):
    def refuse(**_):
        raise ValueError("catalogue: no such thing")

    monkeypatch.setitem(cli.COMMANDS, "catalogue", refuse)
    assert cli.main(["catalogue"]) == 2
    assert capsys.readouterr().err == "catalogue: no such thing\n"


def test_a_command_is_needed_and_help_lists_them(capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main([])
    assert "required: command" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m scalekit ")
    assert all(f"    {name} " in out for name in cli.COMMANDS)
