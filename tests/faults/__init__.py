"""The command while something goes wrong: killed, failed, out of space, without power, many at once, by a wrong clock.

Counts are small unless `LOGANON_FAULTS` says otherwise (`counts.py`); `campaign.py` runs the large ones and writes
`docs/reliability.md`.
"""
