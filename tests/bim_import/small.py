"""Small IFC files for the tests, written by hand: what other programs write. 示意数据."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["UNITS", "Small"]

UNITS = {
    "m": "#1=IFCSIUNIT(*,.LENGTHUNIT.,$,.METRE.);",
    "mm": "#1=IFCSIUNIT(*,.LENGTHUNIT.,.MILLI.,.METRE.);",
    "ft": (
        "#1=IFCCONVERSIONBASEDUNIT(#70,.LENGTHUNIT.,'FOOT',#71);\n"
        "#70=IFCDIMENSIONALEXPONENTS(1,0,0,0,0,0,0);\n"
        "#71=IFCMEASUREWITHUNIT(IFCLENGTHMEASURE(0.3048),#72);\n"
        "#72=IFCSIUNIT(*,.LENGTHUNIT.,$,.METRE.);"
    ),
    "usft": (
        "#1=IFCCONVERSIONBASEDUNIT(#70,.LENGTHUNIT.,'US SURVEY FOOT',#71);\n"
        "#70=IFCDIMENSIONALEXPONENTS(1,0,0,0,0,0,0);\n"
        "#71=IFCMEASUREWITHUNIT(IFCLENGTHMEASURE(0.304800609601219),#72);\n"
        "#72=IFCSIUNIT(*,.LENGTHUNIT.,$,.METRE.);"
    ),
    "none": "",
}


class Small:
    """Gathers lines of one file."""

    def __init__(self, unit: str = "m", schema: str = "IFC4", name: str = "小屋 示意数据") -> None:
        self.schema = schema
        self.lines = [
            UNITS[unit],
            "#2=IFCSIUNIT(*,.PLANEANGLEUNIT.,$,.RADIAN.);",
            f"#3=IFCUNITASSIGNMENT(({'#1,' if unit != 'none' else ''}#2));",
            "#4=IFCCARTESIANPOINT((0.,0.,0.));",
            "#5=IFCAXIS2PLACEMENT3D(#4,$,$);",
            "#6=IFCGEOMETRICREPRESENTATIONCONTEXT($,'Model',3,1.E-5,#5,$);",
            f"#7=IFCPROJECT('0000000000000000000001',$,'{name}',$,$,$,$,(#6),#3);",
            "#8=IFCLOCALPLACEMENT($,#5);",
            "#9=IFCSITE('0000000000000000000002',$,'Site',$,$,#8,$,$,.ELEMENT.,$,$,$,$,$);",
            "#10=IFCBUILDING('0000000000000000000003',$,'楼',$,$,#8,$,$,.ELEMENT.,$,$,$);",
            "#11=IFCBUILDINGSTOREY('0000000000000000000004',$,'1F',$,$,#8,$,$,.ELEMENT.,0.);",
            "#12=IFCRELAGGREGATES('0000000000000000000005',$,$,$,#7,(#9));",
            "#13=IFCRELAGGREGATES('0000000000000000000006',$,$,$,#9,(#10));",
            "#14=IFCRELAGGREGATES('0000000000000000000007',$,$,$,#10,(#11));",
            "#15=IFCDIRECTION((0.,0.,1.));",
        ]
        self.next = 100
        self.products: list[int] = []

    def add(self, text: str) -> int:
        """Add an instance and return its number."""
        self.next += 1
        self.lines.append(f"#{self.next}={text};")
        return self.next

    def point(self, *xyz: float) -> int:
        return self.add("IFCCARTESIANPOINT((" + ",".join(repr(float(v)) for v in xyz) + "))")

    def axes(self, x: float = 0, y: float = 0, z: float = 0) -> int:
        return self.add(f"IFCAXIS2PLACEMENT3D(#{self.point(x, y, z)},$,$)")

    def place(self, x: float = 0, y: float = 0, z: float = 0, within: int = 8) -> int:
        return self.add(f"IFCLOCALPLACEMENT(#{within},#{self.axes(x, y, z)})")

    def rectangle(self, dx: float, dy: float) -> int:
        at = self.add(f"IFCAXIS2PLACEMENT2D(#{self.point(dx / 2, dy / 2)},$)")
        return self.add(f"IFCRECTANGLEPROFILEDEF(.AREA.,$,#{at},{dx!r},{dy!r})")

    def polygon(self, ring: Sequence[tuple[float, float]]) -> int:
        points = [self.point(*p) for p in (*ring, ring[0])]
        line = self.add("IFCPOLYLINE((" + ",".join(f"#{p}" for p in points) + "))")
        return self.add(f"IFCARBITRARYCLOSEDPROFILEDEF(.AREA.,$,#{line})")

    def extrusion(
        self, profile: int, depth: float, at: tuple[float, float, float] = (0, 0, 0)
    ) -> int:
        return self.add(f"IFCEXTRUDEDAREASOLID(#{profile},#{self.axes(*at)},#15,{float(depth)!r})")

    def box(
        self, dx: float, dy: float, dz: float, at: tuple[float, float, float] = (0, 0, 0)
    ) -> int:
        return self.extrusion(self.rectangle(float(dx), float(dy)), dz, at)

    def shape(self, *items: int, kind: str = "SweptSolid") -> int:
        listed = ",".join(f"#{i}" for i in items)
        rep = self.add(f"IFCSHAPEREPRESENTATION(#6,'Body','{kind}',({listed}))")
        return self.add(f"IFCPRODUCTDEFINITIONSHAPE($,$,(#{rep}))")

    def product(
        self, *items: int, kind: str = "IFCWALL", at: int | None = None, name: str = "墙",
        guid: str | None = None, rest: str = "$,$",
    ) -> int:  # fmt: skip
        shape = f"#{self.shape(*items)}" if items else "$"
        place = f"#{self.place() if at is None else at}"
        own = guid or f"{self.next + 1:022d}"
        number = self.add(f"{kind}('{own}',$,'{name}',$,$,{place},{shape},{rest})")
        self.products.append(number)
        return number

    def opening(self, host: int, *items: int) -> int:
        number = self.product(*items, kind="IFCOPENINGELEMENT", name="洞口")
        self.products.pop()
        self.add(f"IFCRELVOIDSELEMENT('{self.next + 1:022d}',$,$,$,#{host},#{number})")
        return number

    def text(self) -> str:
        """Return the file; its products stand in the storey."""
        lines = list(self.lines)
        if self.products:
            listed = ",".join(f"#{p}" for p in self.products)
            lines.append(
                f"#90=IFCRELCONTAINEDINSPATIALSTRUCTURE('0000000000000000000008',$,$,$,({listed}),#11);"
            )
        return (
            "ISO-10303-21;\nHEADER;\nFILE_DESCRIPTION((''),'2;1');\n"
            "FILE_NAME('','2026-01-01T00:00:00',(''),(''),'','','');\n"
            f"FILE_SCHEMA(('{self.schema}'));\nENDSEC;\nDATA;\n"
            + "\n".join(lines)
            + "\nENDSEC;\nEND-ISO-10303-21;\n"
        )

    def write(self, path: Path, encoding: str = "utf-8") -> Path:
        path.write_bytes(self.text().encode(encoding))
        return path
