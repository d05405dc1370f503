"""What the methods of the API do, one module per group. Importing this package registers all of them with `calls.on`.

Handlers only: HTTP is in `http`, parameter checks in `checking`, who may do what in `access_control`.
"""

from __future__ import annotations

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
