"""The record of processing (GDPR Art. 30(1)): each of its items, as far as the policy and the store answer it.

What they do not answer is left to people, and said so; nothing is invented.
"""

from __future__ import annotations

from collections.abc import Iterator

from loganon.evidence.values import Item
from loganon.policy import Policy
from loganon.policy.outline import kept_fields
from loganon.status import Status
from loganon.strictness import KEPT
from loganon.verify import HELD, Verification

_MEASURES = (
    ("address", "no text of the store is shaped like an address or an e-mail"),
    ("columns", "no field is stored that the policy does not name"),
    ("minimum", "rare values are folded where the policy sets a minimum"),
    ("modes", "files can be read by their user, and their group if they have one, only"),
    ("key", "the key of the fingerprints lies outside the store"),
    ("conservation", "each line is counted at most once, and accounted for"),
    ("readable", "checksums show damage"),
    ("age", "partitions are deleted on their day"),
)
"""What is a measure under Art. 32(1), and the check that proves it."""


def record_of(policy: Policy, status: Status, found: Verification) -> tuple[Item, ...]:
    """The items of Art. 30(1) in their order, and the legal basis, which is asked for with them."""
    return (*_who(policy), *_why(policy), *_what(policy), *_where(policy, status), *_how(policy, found))


def _who(policy: Policy) -> Iterator[Item]:
    said = ", ".join(filter(None, (policy.controller.name.strip(), policy.controller.contact.strip())))
    unset = [
        name
        for name, value in (("name", policy.controller.name), ("contact", policy.controller.contact))
        if not value.strip()
    ]
    left = f"{' and '.join(unset)} of the controller (`[controller]` in the policy)" if unset else ""
    yield Item("30(1)(a)", "controller: name and contact details", attested=said, open=left)
    yield Item("30(1)(a)", "joint controller, representative", open="who they are, or that there are none")
    yield Item("30(1)(a)", "data protection officer", open="name and contact details, or that there is none")


def _why(policy: Policy) -> Iterator[Item]:
    if policy.purpose.evaluate:
        generated = "The table may be evaluated as statistics: `loganon report` is allowed."
    else:
        generated = "The table is stored and not evaluated: `loganon report` is refused."
    yield Item("30(1)(b)", "purposes of the processing", generated, policy.title, "the purposes in your own words")
    yield Item("6(1)", "legal basis (not an item of Art. 30)", open="the legal basis, also of the raw logs")


def _what(policy: Policy) -> Iterator[Item]:
    sites = f"the sites {', '.join(policy.scope.sites)}" if policy.scope.sites else "the sites whose logs are read"
    yield Item(
        "30(1)(c)",
        "categories of data subjects",
        f"Whoever accessed {sites}. The table holds counts, and no identifier of a visitor.",
        open="other groups of persons, if the sites are for certain ones",
    )
    kept = "; ".join(f"{', '.join(each.columns)} ({each.technique})" for each in kept_fields(policy))
    yield Item(
        "30(1)(c)",
        "categories of personal data",
        f"Stored in the table: {kept}; each row with the number of accesses. Read from the raw logs and not stored: "
        "everything else.",
        open="whether what the table holds is personal data at all: that is a legal judgement",
    )


def _where(policy: Policy, status: Status) -> Iterator[Item]:
    if policy.purpose.share == "none":
        passed = "loganon passes the table on to nobody."
    else:
        passed = "The table may be passed on as counts; loganon itself passes it on to nobody."
    yield Item("30(1)(d)", "categories of recipients", passed, open="who may read the store, processors, authorities")
    remote = "://" in status.store
    share = f"on a network file system ({status.network})" if status.network else "on this machine"
    place = "The table lies in object storage" if remote else f"The table lies {share}"
    more = "" if remote or status.network else "; loganon sends nothing of it anywhere"
    left = "in which country the bucket is, and the safeguards" if remote else "where the machine and its backups are"
    yield Item("30(1)(e)", "transfers to third countries, safeguards", f"{place}{more}.", open=left)


def _how(policy: Policy, found: Verification) -> Iterator[Item]:
    ages = [f"table: {policy.keep_for}", f"raw access logs: {policy.raw.access}", f"raw error logs: {policy.raw.error}"]
    ages += [f"{entry.name}: {entry.age}" for entry in policy.also_expire]
    removed = policy.raw.access.startswith(KEPT) or policy.raw.access == "removed after ingest"
    left = "that the raw logs are deleted so" if removed else "that no raw log is written"
    yield Item("30(1)(f)", "time limits for erasure", f"{'; '.join(ages)}. See the deletion concept.", open=left)
    held = {check.id for check in found.checks if check.outcome == HELD}
    measures = "; ".join(text for check, text in _MEASURES if check in held)
    generated = f"Proved by the checks below: {measures}." if measures else ""
    left = "access to the machine, encryption of disks and backups, staff, incident handling"
    yield Item("30(1)(g)", "technical and organisational measures (Art. 32(1))", generated, open=left)
