"""`loganon follow`: live logs, standard input or syslog into a store, for as long as they last."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from loganon.cli.footprint import shrink
from loganon.cli.loop import STDIN, Following, Stop, SystemTicker, open_lives, raise_open_files
from loganon.cli.messages import Messages, internal_error, reported
from loganon.cli.options import (
    DURATION,
    SIZE,
    default_key_file,
    intake_options,
    message_options,
    option,
    retention_options,
    strict_option,
)
from loganon.cli.sites import answer_of, choose, config_option, given_readings, is_fatal, preferred, print_json
from loganon.clock import Clock
from loganon.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from loganon.cli.sites import Chosen
    from loganon.following.figures import Figures
    from loganon.following.follower import Follower
    from loganon.following.followers import Followers
    from loganon.following.pace import Terms
    from loganon.following.session import Target
    from loganon.following.troubles import Teller
    from loganon.policy import Policy
    from loganon.summary import Summary

_Done_co = TypeVar("_Done_co", covariant=True)
_SHOWN = 3  # names of what is followed, in the first message


@click.command(name="follow")
@click.argument("logs", nargs=-1, metavar="[LOG...]")
@config_option("follow")
@intake_options("follow")
@option(
    "follow", "--flush-interval", type=DURATION, default="60s", show_default=True, help="Commit what is new so often."
)
@option(
    "follow",
    "--flush-bytes",
    type=SIZE,
    default="64M",
    show_default=True,
    metavar="SIZE",
    help="Commit earlier when so many bytes wait (K, M, G).",
)
@option("follow", "--no-retain", is_flag=True, help="Leave retention and sealing to a job of its own.")
@option(
    "follow",
    "--syslog",
    multiple=True,
    metavar="ADDRESS",
    help="Receive syslog at udp://IP:PORT or unix:///PATH (datagrams); repeatable.",
)
@option("follow", "--listen", metavar="[IP]:PORT", help="Serve /metrics, /healthz and /readyz (IP: 127.0.0.1).")
@retention_options("follow", wait="How long another process may hold the store before that is said.")
@strict_option("follow")
@option("follow", "--json", "as_json", is_flag=True, help="Print the summary at the end as one JSON object.")
@message_options("follow")
@reported
def command(
    logs: tuple[str, ...],
    config: Path | None,
    store: str | None,
    writer: str | None,
    key_file: Path | None,
    group: str | None,
    flush_interval: timedelta,
    flush_bytes: int,
    no_retain: bool,
    syslog: tuple[str, ...],
    listen: str | None,
    lead: timedelta,
    wait: timedelta,
    accept_cutoff: date | None,
    accept_clock: bool,
    accept_versioned: bool,
    strict: bool,
    as_json: bool,
    quiet: bool,
    messages: str,
    **_read: object,
) -> int:
    """Count what is written to LOG... into a store for as long as it runs, and delete what is past its day.

    LOG is a file, a quoted pattern ('/var/log/nginx/*.log') that is looked at again and again, or - for standard input.
    A log is followed through renaming, truncation and removal; one that is not there yet is waited for. SIGTERM and
    SIGINT: what has come is committed, within 10 seconds, and the exit code is 0.

    Without LOG and --syslog all sites of a configuration file are followed, those that appear later, too, each into its
    own store, and none spoils the others; with --store only the one of that store.

    For Apache: CustomLog "|/usr/bin/loganon follow - --store /var/lib/loganon/site" combined
    """  # `_read`: what `choose` asks click for, with where it comes from
    shrink()  # before anything of the following is loaded
    with ExitStack() as opened:
        stop = Stop()
        opened.enter_context(stop.signals())  # first of all: a stop that comes early must not lose what is in a pipe
        from loganon.following.pace import Terms  # noqa: PLC0415 - start-up, as above

        say = Messages(messages, quiet=quiet)
        chosen = choose(config, store, logs=(*logs, *syslog))
        known = chosen.settings
        terms = Terms(
            flush_interval=flush_interval.total_seconds(),
            flush_bytes=flush_bytes,
            retain=not no_retain,
            wait=preferred("wait", wait, known.wait).total_seconds(),
            clock=Clock(datetime.now(UTC), preferred("lead", lead, known.lead), accept_cutoff, accept_clock),
        )
        key = preferred("key_file", key_file, Path(known.key_file) if known.key_file else None)
        target_of = _targets(
            key=key or default_key_file(),
            writer=preferred("writer", writer, known.writer),
            group=preferred("group", group, known.group),
            accept_versioned=accept_versioned,
        )
        raise_open_files()
        if logs or syslog:
            one = _one(chosen, logs, syslog, terms, target_of, say, opened)
            summaries = [_follow(one, lambda: (one.figures,), listen, stop, say, opened)]
        else:
            many = _many(chosen, store, terms, target_of, say, opened)
            summaries = _follow(many, lambda: many.figures, listen, stop, say, opened)
    for summary in summaries:
        summary.strict = strict
    return _told(summaries, say, as_json=as_json, shown=not quiet, many=chosen.many)


class _Finished(Following, Protocol[_Done_co]):
    def finish(self) -> _Done_co: ...


def _follow(
    following: _Finished[_Done_co],
    figures: Callable[[], Sequence[Figures]],
    listen: str | None,
    stop: Stop,
    say: Messages,
    opened: ExitStack,
) -> _Done_co:
    """What was done, once a signal has asked to stop or nothing more can come."""
    if listen is not None:
        from loganon.following.server import serve  # noqa: PLC0415 - start-up, and memory where it is not asked for

        server = opened.enter_context(serve(listen, figures, SystemTicker().seconds))
        say.note(f"metrics are served at http://{server.address}/metrics")
    stop.loop(following)
    return following.finish()


def _targets(*, accept_versioned: bool, **how: Any) -> Callable[[str, Policy | str | None], Target]:
    """What makes a target of a store as it is written, and of a policy."""
    from loganon.following.session import Target  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.store import parse_place  # noqa: PLC0415 - start-up, as above

    def target(store: str, policy: Policy | str | None) -> Target:
        return Target(path=parse_place(store, accept_versioned=accept_versioned), policy=policy, **how)

    return target


def _one(
    chosen: Chosen,
    logs: Sequence[str],
    syslog: Sequence[str],
    terms: Terms,
    target_of: Callable[[str, Policy | str | None], Target],
    say: Messages,
    opened: ExitStack,
) -> Follower:
    """The follower of logs that are named; what is wrong with their store is raised."""
    from loganon.buckets import is_object  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.following.follower import Follower  # noqa: PLC0415 - start-up, as above
    from loganon.sites import Readings, closed_notes, policy_of  # noqa: PLC0415 - start-up, as above

    for log in logs:
        if is_object(log):
            raise ConfigurationError("objects are not followed", where=log, fix="Read them with `loganon run`")
    (site,) = chosen.sites
    follower = Follower(
        target_of(site.store, policy_of(site)),
        [log for log in logs if log != STDIN],
        open_lives(logs, syslog, say, opened),
        replace(Readings(apart=True).inputs(site)[0].reading, final=False, remove_source=False),
        ticker=SystemTicker(),
        teller=say,
        terms=terms,
    )
    opened.callback(follower.close)
    follower.open()
    for log in follower.watch.leading_nowhere:
        say.note(f"{printable(log)}: no log is there yet; it is looked at again and again")
    for text in (each for log in logs if not os.path.lexists(log) for each in closed_notes(log)):
        say.note(printable(text))
    names = [printable(name) for name in (*logs, *syslog)]
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    say.note(f"following {', '.join(names[:_SHOWN])}{more} into {printable(site.store)}")
    return follower


def _many(
    chosen: Chosen,
    store: str | None,
    terms: Terms,
    target_of: Callable[[str, Policy | str | None], Target],
    say: Messages,
    opened: ExitStack,
) -> Followers:
    """The followers of a configuration's stores, or of the one that is named."""
    from loganon.buckets import is_object  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.following.follower import Follower  # noqa: PLC0415 - start-up, as above
    from loganon.following.followers import Followers  # noqa: PLC0415 - start-up, as above
    from loganon.lookups import open_lookups  # noqa: PLC0415 - start-up, as above
    from loganon.reading import Reading  # noqa: PLC0415 - start-up, as above
    from loganon.settings import overridden  # noqa: PLC0415 - start-up, as above
    from loganon.store import open_or_none  # noqa: PLC0415 - start-up, as above

    inputs = []  # what the configuration says of logs that are complete does not hold for those that are written
    for each in chosen.settings.input:
        if objects := [log for log in each.logs if is_object(log)]:
            say.error(
                ConfigurationError("objects are not followed", where=objects[0], fix="Leave them to `loganon run`")
            )
        else:
            inputs.append(overridden(each, {**given_readings(), "final": False, "remove_source": False}))
    ticker, nothing = SystemTicker(), Reading(lookups=open_lookups((), ()))

    def make(store: str, policy: Policy | str | None, teller: Teller, *, prune: bool) -> Follower | None:
        target = target_of(store, policy)
        if prune and open_or_none(target.path) is None:
            return None
        return Follower(target, (), (), nothing, ticker=ticker, teller=teller, terms=terms)

    followers = Followers(inputs, make, ticker=ticker, teller=say, fault=internal_error, only=store)
    opened.callback(followers.close)
    say.note(f"following the logs of {len(inputs):,} inputs")
    return followers


def _told(summaries: Sequence[Summary], say: Messages, *, as_json: bool, shown: bool, many: bool) -> int:
    """The exit code; what was done is printed, and why not all could be."""
    from loganon.cli.run import print_summary  # noqa: PLC0415 - start-up: polars is not imported for --help
    from loganon.cli.sites import Told  # noqa: PLC0415 - as above
    from loganon.summary import first_applies  # noqa: PLC0415 - start-up, as above

    codes = [summary.exit_code for summary in summaries]
    if as_json:
        if not many:
            click.echo(json.dumps(summaries[0].as_dict()))
        elif not codes or not all(map(is_fatal, codes)):
            print_json([answer_of(summary) for summary in summaries], many=True)
    told = Told(say)
    for summary in summaries:
        if shown and not as_json and not (many and is_fatal(summary.exit_code)):
            print_summary(summary)
        told(summary)
    return first_applies(codes)
