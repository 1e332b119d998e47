"""python3 cold.py FOLDER MODULE.CLASS PARAMS: one run as cron would start it, of a class in bench/app/python, with the
application whose bootstrap is in FOLDER."""

import importlib
import json
import sys
from pathlib import Path

folder, name, params = sys.argv[1:]
sys.path[:0] = [folder, str(Path(__file__).parent / "python")]
importlib.import_module("bootstrap")
module, cls = name.split(".")
getattr(importlib.import_module(module), cls)().run(json.loads(params))
