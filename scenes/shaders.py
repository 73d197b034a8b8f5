"""Shaders of what is unlit, a third of VTK's own work for every corner and pixel.

VTK's templates carry lights, materials, picking and a test that may drop every pixel, which
keeps a software rasteriser from skipping hidden ones early. What follows keeps the tags that
VTK fills in for clipping, depth steps, colours, textures and what is seen through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["Cards", "behind_all", "plain"]

_CORNER = """//VTK::System::Dec
in vec4 vertexMC;
in vec4 scalarColor;
out vec4 vertexColorVSOutput;
uniform mat4 MCDCMatrix;
//VTK::TCoord::Dec
//VTK::Clip::Dec
void main()
{
  vertexColorVSOutput = scalarColor;
  //VTK::TCoord::Impl
  //VTK::Clip::Impl
  gl_Position = MCDCMatrix * vertexMC;
}
"""
_CARD = """//VTK::System::Dec
//VTK::CustomUniforms::Dec
in vec4 vertexMC;
in vec4 scalarColor;
in vec4 reach;
out vec4 vertexColorVSOutput;
uniform mat4 MCDCMatrix;
//VTK::Clip::Dec
void main()
{
  vec3 away = eye - vertexMC.xyz;
  float level = max(length(away.xy), 0.001);
  float wide = max(length(reach.xy), 0.001);
  float near = clamp(0.5 + STEEP * dot(reach.xy, away.xy) / (level * wide), 0.0, 1.0);
  float roof = 1.414 * wide * abs(away.z);
  float wall = 1.27 * reach.z * level;  // 4 / pi sides of a square are seen in the mean
  float share = wall / max(roof + wall, 0.001);
  float walled = clamp(2.0 * share + near - 1.0, 0.0, 1.0);
  vec3 rgb = vec3(floor(reach.w / 65536.0), mod(floor(reach.w / 256.0), 256.0),
                  mod(reach.w, 256.0)) / 255.0;
  vertexColorVSOutput = vec4(mix(scalarColor.rgb, rgb * wallLight, walled), scalarColor.a);
  //VTK::Clip::Impl
  vec4 at = vec4(vertexMC.xy + WIDER * share * reach.xy, vertexMC.z - near * reach.z, 1.0);
  gl_Position = MCDCMatrix * at;
}
"""
_FURTHEST = """//VTK::System::Dec
in vec4 vertexMC;
in vec4 scalarColor;
out vec4 vertexColorVSOutput;
void main()
{
  vertexColorVSOutput = scalarColor;
  gl_Position = vec4(vertexMC.xy, 1.0, 1.0);
}
"""
_STEEP = 0.75  # how soon corners count as near: 0.71 for a side that faces the eye
_WIDER = 0.2  # a card of walls alone leaves out 29 % of what is seen of them
_PIXEL = """//VTK::System::Dec
//VTK::Output::Dec
in vec4 vertexColorVSOutput;
uniform float opacityUniform;
//VTK::TMap::Dec
//VTK::TCoord::Dec
//VTK::Clip::Dec
//VTK::Coincident::Dec
//VTK::DepthPeeling::Dec
void main()
{
  //VTK::UniformFlow::Impl
  //VTK::Depth::Impl
  //VTK::DepthPeeling::PreColor
  //VTK::Clip::Impl
  vec4 shown = vec4(1.0, 1.0, 1.0, opacityUniform) * vertexColorVSOutput;
  SHOWN
  gl_FragData[0] = shown;
  //VTK::DepthPeeling::Impl
}
"""
_TEXTURE = "shown *= texture(actortexture, tcoordVCVSOutput);"
_CLEAR = " if (shown.a <= 0.0) { discard; }"


def plain(one: Any, *, textured: bool = False, clear: bool = False) -> Any:
    """Let an actor with a colour at every corner show it as it is, times its texture.

    Parameters
    ----------
    one
        The actor.
    textured
        Whether it wears a texture.
    clear
        Whether that texture may be wholly clear: such pixels hide nothing.
    """
    one.GetProperty().LightingOff()
    shown = (_TEXTURE if textured else "") + (_CLEAR if clear else "")
    look = one.GetShaderProperty()
    look.SetVertexShaderCode(_CORNER)
    look.SetFragmentShaderCode(_PIXEL.replace("SHOWN", shown))
    return one


def behind_all(one: Any) -> Any:
    """Let an actor whose points lie in -1..1 across and up the picture be behind all others."""
    plain(one)
    one.GetShaderProperty().SetVertexShaderCode(_FURTHEST)
    one.UseBoundsOff()
    return one


class Cards:
    """How cards are drawn: their corners nearest to the eye stand on the ground.

    The far edge has the colour of the roof and the near one that of the walls, weighted by how
    much of each is seen.
    """

    def __init__(self) -> None:
        from vtkmodules.vtkRenderingOpenGL2 import vtkOpenGLShaderProperty

        look = vtkOpenGLShaderProperty()
        corner = _CARD.replace("STEEP", str(_STEEP)).replace("WIDER", str(_WIDER))
        look.SetVertexShaderCode(corner)
        look.SetFragmentShaderCode(_PIXEL.replace("SHOWN", ""))
        self._look = look
        self.show((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

    def dress(self, one: Any) -> Any:
        """Let an actor be drawn as cards; its mesh has the `reach` of `blocks.Cards`."""
        one.GetProperty().LightingOff()
        one.SetShaderProperty(self._look)
        mapper = one.GetMapper()
        mapper.SetVBOShiftScaleMethod(0)  # the eye is given in the metres of the mesh
        mapper.MapDataArrayToVertexAttribute("reach", "reach", 0, -1)
        return one

    def show(self, eye: Sequence[float], wall_light: Sequence[float]) -> None:
        """Show them to an eye (x, y, z) under a light (r, g, b) on their walls."""
        given = self._look.GetVertexCustomUniforms()
        given.SetUniform3f("eye", tuple(map(float, eye)))
        given.SetUniform3f("wallLight", tuple(map(float, wall_light)))
