-- From DIASource over DIAObject to the Objects near it: for each associated source its DIAObject
-- and that one's neighbours of the newest data release (DPDD section 3.1).
SELECT s.diaSourceId, s.diaObjectId, m.objectId, m.dist, m.rank, m.isGalaxy, m.lnP
FROM prompt.DIASource AS s
JOIN prompt.DIAObjectMatch AS m ON m.diaObjectId = s.diaObjectId
