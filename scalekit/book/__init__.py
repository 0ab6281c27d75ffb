"""Published against reproduced, exercises, and the commands that run the notebooks."""
