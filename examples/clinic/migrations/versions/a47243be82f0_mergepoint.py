"""Mergepoint: two teams had worked at the same time."""

revision = "a47243be82f0"
down_revision = ("8f2c61d4b9e0", "c05e7a318d46")
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Join the branches; there is nothing to change."""


def downgrade() -> None:
    """Part them again."""
