"""Scans and letters: folders, files, their versions, who may see them and who did."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from examples.clinic.models.base import Base, Code, Id, Moment, Name


class Folder(Base):
    """A folder, perhaps inside another."""

    __tablename__ = "folders"

    id: Mapped[Id]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("folders.id"))
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"))
    name: Mapped[Name]


class File(Base):
    """One document."""

    __tablename__ = "files"

    id: Mapped[Id]
    folder_id: Mapped[int | None] = mapped_column(ForeignKey("folders.id"), index=True)
    patient_id: Mapped[int | None] = mapped_column(ForeignKey("patients.id"), index=True)
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visits.id", ondelete="SET NULL"))
    uploaded_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    name: Mapped[Name]
    size: Mapped[int]


class FileVersion(Base):
    """The bytes of a document at one time."""

    __tablename__ = "file_versions"

    id: Mapped[Id]
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), index=True)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    number: Mapped[int]
    sha256: Mapped[Code]
    created_at: Mapped[Moment]


class FileShare(Base):
    """Leave for a colleague to see a document."""

    __tablename__ = "file_shares"

    id: Mapped[Id]
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), index=True)
    shared_with: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    shared_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    expires_at: Mapped[Moment | None]
    shared_name: Mapped[Name]


class FileAccessLog(Base):
    """Somebody looked at a document."""

    __tablename__ = "file_access_logs"

    id: Mapped[Id]
    file_id: Mapped[int] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    action: Mapped[Code]
    seen_at: Mapped[Moment]
