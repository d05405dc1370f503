from tests.api.conftest import house  # noqa: F401  the same app
