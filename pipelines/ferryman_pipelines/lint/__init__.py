"""What KFP's compiler and backend let pass and production finds: rules over compiled pipelines, ours and others'."""

from ferryman_pipelines.lint.finding import Finding
from ferryman_pipelines.lint.linting import lint_documents

__all__ = ["Finding", "lint_documents"]
