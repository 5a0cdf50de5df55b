"""Started by the project's own interpreter: `python -I -B child.py IN OUT`. What loads Alembic is in `agent/`.

IN and OUT are descriptors with JSON lines: the spec and later replies come in, results go out (stdout is no protocol,
because env.py prints). `-I` gives no import path to this folder, and none is wanted: our names must not shadow the
project's. So the package beside this file is loaded by its place, under a name that nobody else uses.
"""

import importlib.util
import os
import sys


def load_agent() -> None:
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "agent")
    init = os.path.join(folder, "__init__.py")
    spec = importlib.util.spec_from_file_location("tidegate_agent", init, submodule_search_locations=[folder])
    if spec is None or spec.loader is None:
        raise ImportError(f"no agent at {folder}")
    sys.modules["tidegate_agent"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


if __name__ == "__main__":
    load_agent()
    from tidegate_agent.main import main  # type: ignore[import-not-found] # the name exists since the line above

    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
