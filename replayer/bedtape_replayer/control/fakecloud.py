"""Being written."""
from bedtape_replayer.control.routes import Route

ROUTES: tuple[Route, ...] = ()
