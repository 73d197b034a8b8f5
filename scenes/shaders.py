"""Shaders of what is unlit, a third of VTK's own work for every corner and pixel.

VTK's templates carry lights, materials, picking and a test that may drop every pixel, which
keeps a software rasteriser from skipping hidden ones early. What follows keeps the tags that
VTK fills in for clipping, depth steps, colours, textures and what is seen through.
"""

from __future__ import annotations

from typing import Any

__all__ = ["plain"]

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
