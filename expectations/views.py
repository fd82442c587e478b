"""How the static pages are drawn: by the library's own templates, each of which is compiled once in a process."""

from types import CodeType

from great_expectations.render.view.view import DefaultJinjaIndexPageView, DefaultJinjaPageView
from jinja2.bccache import Bucket, BytecodeCache


class Compiled(BytecodeCache):
    """The templates that were compiled, in memory. Each view compiles its own: three in a run, for a second in all."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give what was compiled of the very same text; the checksum is of that."""
        bucket.code = self._known.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it; there are as many as the library has templates."""
        self._known[bucket.key, bucket.checksum] = bucket.code


COMPILED = Compiled()


class PageView(DefaultJinjaPageView):
    """A page about a suite or its results."""

    def __init__(self, custom_styles_directory: str | None = None, custom_views_directory: str | None = None) -> None:
        super().__init__(custom_styles_directory, custom_views_directory)
        self.env.bytecode_cache = COMPILED


class IndexPageView(DefaultJinjaIndexPageView):
    """The page that names them."""

    def __init__(self, custom_styles_directory: str | None = None, custom_views_directory: str | None = None) -> None:
        super().__init__(custom_styles_directory, custom_views_directory)
        self.env.bytecode_cache = COMPILED
