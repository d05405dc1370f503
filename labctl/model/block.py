"""What every block of the language is: frozen, strict, and without unknown keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A block of keys. Unknown keys are refused; `labctl.model.wording` says what was probably meant."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", validate_default=False, use_attribute_docstrings=True)

    def said(self, key: str) -> bool:
        """Whether the author wrote this key."""
        return key in self.model_fields_set
