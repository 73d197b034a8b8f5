"""Small files for the kernels: some products of a file with all they need, and nothing else.

A kernel then parses kilobytes instead of the whole file, a product that hangs it is
among few, and the schema of a release candidate is written as the final one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bim_import.native.bulk import Unsupported
from bim_import.native.looks import Looks
from bim_import.step import Ref, StepFile

__all__ = ["KernelTexts"]

_RENAMED = {"IFCSOLIDSTRATUM", "IFCVOIDSTRATUM", "IFCWATERSTRATUM"}
_CONTEXT = ("IFCPROJECT", "IFCUNITASSIGNMENT", "IFCGEOMETRICREPRESENTATIONCONTEXT",
            "IFCGEOMETRICREPRESENTATIONSUBCONTEXT")  # fmt: skip
PRODUCTS = 24
BYTES = 4_000_000


class KernelTexts:
    """Writes products of one file as files of their own."""

    def __init__(self, step: StepFile, schema: str, looks: Looks) -> None:
        self.step, self.schema, self.looks = step, schema, looks
        self.voids: dict[int, list[int]] = {}
        self._cutters: dict[int, list[int]] = {}
        for number, args in step.each("IFCRELVOIDSELEMENT", "IFCRELPROJECTSELEMENT"):
            if len(args) > 5 and isinstance(args[4], Ref) and isinstance(args[5], Ref):
                self.voids.setdefault(int(args[4]), []).append(number)
                self._cutters.setdefault(int(args[4]), []).append(int(args[5]))
        self.projects = bool(len(step.rows("IFCRELPROJECTSELEMENT")))
        self.wholes: dict[int, tuple[int, int]] = {}
        if self.voids:
            for number, args in step.each("IFCRELAGGREGATES"):
                if len(args) > 5 and isinstance(args[4], Ref) and isinstance(args[5], list):
                    for part in args[5]:
                        if isinstance(part, Ref):
                            self.wholes[int(part)] = (int(args[4]), number)
        self._base: set[int] | None = None

    def hosts(self, number: int) -> list[int]:
        """Return the product and those of its wholes that have openings."""
        found, at = [], number
        for _ in range(16):
            if at in self.voids:
                found.append(at)
            if at not in self.wholes:
                break
            at = self.wholes[at][0]
        return found

    def openings(self, number: int) -> list[int]:
        """Return the openings that cut a product.

        Raises
        ------
        Unsupported
            Something is added to it as well, which the kernels know best.
        """
        hosts = self.hosts(number)
        if hosts and self.projects:
            raise Unsupported("projection")
        return [one for host in hosts for one in self._cutters[host]]

    def chunks(self, numbers: Sequence[int]) -> Iterator[tuple[list[int], bytes]]:
        """Yield (products, file) in pieces a kernel takes in one bite."""
        held: list[int] = []
        for number in numbers:
            held.append(number)
            if len(held) == PRODUCTS:
                yield from self._cut(held)
                held = []
        if held:
            yield from self._cut(held)

    def _cut(self, numbers: list[int]) -> Iterator[tuple[list[int], bytes]]:
        text = self.file(numbers)
        if len(text) > BYTES and len(numbers) > 1:
            half = len(numbers) // 2
            yield from self._cut(numbers[:half])
            yield from self._cut(numbers[half:])
        else:
            yield numbers, text

    def file(self, numbers: Sequence[int]) -> bytes:
        """Return a file with these products, their openings and styles."""
        step = self.step
        if self._base is None:
            roots = [n for name in _CONTEXT for n in step.of(name)]
            self._base = step.closure(roots)
        seen = set(self._base)
        step.closure(numbers, seen)
        lines = []
        for number in numbers:
            step.closure([r for host in self.hosts(number) for r in self.voids[host]], seen)
            lines += self._aggregates(number, seen)
        styled = self.looks.styled
        extra = [styled[n][0] for n in list(seen) if n in styled]
        step.closure(extra, seen)
        names = {n: step.name(n) for n in seen}
        lines += [
            b"#%d=%s(%s);" % (
                n, b"IFCGEOTECHNICALSTRATUM" if name in _RENAMED else name.encode(), step.text(n)
            )
            for n, name in sorted(names.items()) if name
        ]  # fmt: skip
        return _HEAD % self.schema.encode() + b"\n".join(lines) + _TAIL

    def _aggregates(self, number: int, seen: set[int]) -> list[bytes]:
        """Return the relations to wholes with openings, cut down to this product."""
        lines: list[bytes] = []
        if not self.hosts(number):
            return lines
        at = number
        while at in self.wholes and len(lines) < 16:
            whole, relation = self.wholes[at]
            self.step.closure([whole], seen)
            # A number nobody has: two products of one whole need two relations.
            own = int(self.step.ids[-1]) + 1 + at
            args = self.step.args(relation)
            guid = str(args[0])
            lines.append(b"#%d=IFCRELAGGREGATES('%s',$,$,$,#%d,(#%d));" % (
                own, guid.encode("ascii", "replace"), whole, at))  # fmt: skip
            at = whole
        return lines


_HEAD = (
    b"ISO-10303-21;\nHEADER;\nFILE_DESCRIPTION((''),'2;1');\n"
    b"FILE_NAME('','2000-01-01T00:00:00',(''),(''),'','','');\n"
    b"FILE_SCHEMA(('%s'));\nENDSEC;\nDATA;\n"
)
_TAIL = b"\nENDSEC;\nEND-ISO-10303-21;\n"
