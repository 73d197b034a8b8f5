"""scenes: scene documents, drawables for every result, and what draws them."""

from pathlib import Path

from cim import messages

__all__: list[str] = []

messages.add(Path(__file__).with_name("messages.toml"))
