"""Run the notebooks, hold the board against its record, write what is generated."""

import argparse
import sys
from collections.abc import Sequence

from scalekit.book.board import scoreboard
from scalekit.book.catalogue import write_catalogue
from scalekit.book.reproduce import reproduce

COMMANDS = {"scoreboard": scoreboard, "reproduce": reproduce, "catalogue": write_catalogue}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = vars(_parser().parse_args(argv))
    command = COMMANDS[options.pop("command")]
    try:
        return command(**options) or 0
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2


def _parser():
    parser = argparse.ArgumentParser(prog="python -m scalekit", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    board = commands.add_parser("scoreboard", help="print the recorded board; executes nothing")
    board.add_argument("--json", action="store_true", help="as JSON")
    run = commands.add_parser(
        "reproduce", help="execute the notebooks and hold the board against its record"
    )
    run.add_argument(
        "names", nargs="*", metavar="NAME", help="notebooks, such as 02a_chinchilla; all by default"
    )
    run.add_argument(
        "--save", action="store_true", help="write outputs, data/board.csv and the README's board"
    )
    run.add_argument(
        "--because", default="", help="with --save: why figures or verdicts changed, for the ledger"
    )
    commands.add_parser("catalogue", help="write data/README.md from the sidecars")
    return parser


if __name__ == "__main__":
    sys.exit(main())
