"""Dated files outside the store, held against the ages of `[[also_expire]]`; and holds that have ended."""

from __future__ import annotations

from datetime import UTC

from loganon.dated import load_dated
from loganon.policy.elsewhere import AlsoExpire
from loganon.verify.findings import Findings
from loganon.verify.view import View


def check_elsewhere(view: View, findings: Findings) -> None:
    """No such file is past its age unless it is held; one that cannot be judged is a finding, no directory a note."""
    policy = view.policy
    today = view.now.astimezone(UTC).date()
    if not policy.also_expire and not policy.hold:
        findings.skip("elsewhere", "the policy gives no other files an age")
        return
    found = load_dated(policy, today=today, store=view.store.path)
    entries = {entry.name: entry for entry in policy.also_expire}
    for file in found.files:
        if file.held is None:
            what = f"a file had to go on {file.due} (also_expire {file.entry}: {entries[file.entry].age})"
            findings.add("elsewhere", file.path, what, clauses=_clauses(entries[file.entry]))
        else:
            findings.note("elsewhere", f"{file.path} is held until {file.held}")
    for blind in found.blind:
        if blind.missing:
            findings.note("elsewhere", f"{blind.path}: there is no such directory")
        else:
            findings.add("elsewhere", blind.path, f"not judged: {blind.reason}", clauses=_clauses(entries[blind.entry]))
    for hold in policy.hold:
        if not hold.stands(today):
            what = f"the hold on {hold.scope} ended on {hold.until} and still stands in the policy"
            findings.add(
                "elsewhere",
                "policy",
                what,
                fix="Take it out with `loganon policy apply`",
                clauses=(f'hold "{hold.scope}".until',),
            )


def _clauses(entry: AlsoExpire) -> tuple[str, ...]:
    own = f'also_expire "{entry.name}"'
    return (f"{own}.age", *([f"{own}.action"] if entry.action == "delete" else []))
