"""Builds what is not Python while the package is built or installed: the library and the page."""

from __future__ import annotations

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Built(BuildHookInterface):
    """Puts the library and the page into the wheel, where they could be made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling."""
        trouble = runpy.run_path(str(Path(self.root) / "hatch_page.py"))["page"](Path(self.root))
        if trouble:
            self.app.display_warning(f"zounds is installed without its page: {trouble}")
        if self.target_name == "wheel":
            self._compile(build_data)

    def _compile(self, build_data: dict[str, Any]) -> None:
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
