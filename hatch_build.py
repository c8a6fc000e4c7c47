"""Compiles the native library while the package is built or installed for development."""

from __future__ import annotations

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeLibrary(BuildHookInterface):
    """Puts the library into the wheel, where one could be compiled."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling."""
        program = Path(self.root) / "src" / "zounds" / "_native" / "build.py"
        library = runpy.run_path(str(program))["build"]()
        if library is None:
            self.app.display_warning(
                "zounds: there is no C compiler; searching works without, and takes longer"
            )
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["artifacts"].append(str(library.relative_to(self.root)))
