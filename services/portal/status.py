"""The status page: how far the archive is, how quick, how good."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.portal import known
from services.portal.frame import Frame
from skyledger.database import status
from skyledger.virtual import VirtualDatabase

_VISITS = """
SELECT v.visitId, v.band, v.midPointTai, c.detector, c.ccdVisitId, c.seeing, c.zeroPoint,
  c.skyNoise, c.diffNoise, c.psfResidual, c.nDiaSources
FROM CcdVisit AS c JOIN Visit AS v USING (visitId)
ORDER BY v.midPointTai DESC, c.detector LIMIT 40
"""
_EPOCHS = """
SELECT epochTai AS tai, kind, nRows AS rows FROM ledger.epoch
WHERE kind <> 'heartbeat' AND epochTai <= ledger.horizon() ORDER BY epochTai DESC LIMIT 20
"""


class StatusPage:
    """Handler of the status page."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def routes(self) -> list[Route]:
        """All addresses."""
        return [Route("/status", self.frame.shown(self.status))]

    async def status(self, request: Request) -> Response:
        """Show newest publications, figures of the database and the quality of the last visits."""
        moment = await self.frame.moment(request)

        def look() -> dict[str, Any]:
            with self.frame.service.readers.session() as connection:
                visits = known.rows(connection, _VISITS, moment.database)
                epochs = known.rows(connection, _EPOCHS, VirtualDatabase("prompt"))
            figures = self.frame.service.kept(lambda cursor: status.read(cursor.connection))
            return {"visits": visits, "epochs": epochs, "figures": figures}

        found = await self.frame.within(look)
        wrong = [f for f in found["figures"] if f.ok is False]
        return self.frame.page(request, "status.html", moment, wrong=wrong, **found)
