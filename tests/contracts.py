"""A kind of import contract that import-linter does not have, for setup.cfg."""

from __future__ import annotations

from typing import Any

from importlinter import Contract, ContractCheck, fields, output


class FlatContract(Contract):
    """Modules that lie directly in a package do not know each other, also not by way of others.

    They may know the package's `folders`, and each of these only those after it. So a new module needs no
    line in setup.cfg, and a new folder does.
    """

    type_name = "flat"
    package = fields.StringField()
    folders = fields.ListField(subfield=fields.StringField())

    def check(self, graph: Any, verbose: bool) -> ContractCheck:
        """Kept when nothing goes upwards or sideways, and the folders are those that are named."""
        children = graph.find_children(self.package)
        folders = {child for child in children if graph.find_children(child)}
        ranked = [f"{self.package}.{name}" for name in self.folders]
        wrong = [f"{folder} has no rank" for folder in sorted(folders - set(ranked))]
        wrong += [f"{folder} is no folder" for folder in ranked if folder not in folders]
        if not wrong:
            found = graph.find_illegal_dependencies_for_layers(layers=(children - folders, *ranked))
            wrong = sorted(f"{one.importer} may not import {one.imported}" for one in found)
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """One line for each fault."""
        for line in check.metadata["wrong"]:
            output.print_error(line)
