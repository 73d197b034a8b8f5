"""What was done to a scene, and how it is undone: commands as data.

A command remembers only the parts of the scene it changed, as they were and as they
became. It can be sent, kept and applied to another scene, and its inverse is a command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from scenes.scene import Scene

__all__ = ["Command", "History", "command"]

_MOST = 200


@dataclass(frozen=True)
class Command:
    """One step: its name, and ``{part: (before, after)}`` of every part it changed."""

    name: str
    changes: Mapping[str, tuple[Any, Any]]

    def apply(self, scene: Scene) -> Scene:
        """Return the scene with the step done."""
        return replace(scene, **{part: after for part, (_, after) in self.changes.items()})

    def inverse(self) -> Command:
        """Return the step that takes this one back."""
        return Command(
            self.name, {k: (after, before) for k, (before, after) in self.changes.items()}
        )


def command(name: str, before: Scene, after: Scene) -> Command:
    """Return the step that leads from one scene to another."""
    pairs = {f.name: (getattr(before, f.name), getattr(after, f.name)) for f in fields(Scene)}
    return Command(name, {part: pair for part, pair in pairs.items() if pair[0] != pair[1]})


@dataclass
class History:
    """A scene with the steps that led to it and those taken back."""

    scene: Scene
    done: list[Command] = field(default_factory=list)
    undone: list[Command] = field(default_factory=list)

    def do(self, name: str, scene: Scene) -> Scene:
        """Go on to `scene`; a step that changes nothing is not kept."""
        step = command(name, self.scene, scene)
        if step.changes:
            self.done = [*self.done[1 - _MOST :], step]
            self.undone = []
            self.scene = scene
        return self.scene

    def undo(self) -> Scene:
        """Take the last step back; nothing happens where there is none."""
        if self.done:
            step = self.done.pop()
            self.undone.append(step)
            self.scene = step.inverse().apply(self.scene)
        return self.scene

    def redo(self) -> Scene:
        """Do the step last taken back; nothing happens where there is none."""
        if self.undone:
            step = self.undone.pop()
            self.done.append(step)
            self.scene = step.apply(self.scene)
        return self.scene
