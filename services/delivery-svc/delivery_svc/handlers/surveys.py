"""Surveys are set up: what is asked, when, and how long nobody is asked again."""

from dataclasses import replace

from ltc_chassis.db import Transaction
from ltc_contracts.errors import Invalid, VersionConflict

from delivery_svc.domain import survey as rules
from delivery_svc.domain.survey import Rule, Survey, SurveyNotFound
from delivery_svc.store import surveys as store


async def put_survey(tx: Transaction, survey: Survey, by: str, *, expected: int | None) -> Survey:
    """A new version of a survey; who was asked goes on by the version they were asked by. Raises `VersionConflict`, `Invalid`."""
    await store.lock_surveys(tx.conn)
    earlier = [each for each, _, _ in await store.list_survey_versions(tx.conn, survey.code)]
    known = earlier[0] if earlier else None
    if (expected or 0) != (known.version if known else 0):
        raise VersionConflict(f"survey '{survey.code}'", known.version if known else 0)
    if known is None and len(await store.list_surveys(tx.conn)) >= rules.MOST_SURVEYS:
        raise Invalid(f"at most {rules.MOST_SURVEYS} surveys", field="code")
    if len(earlier) >= rules.MOST_VERSIONS:
        raise Invalid(f"at most {rules.MOST_VERSIONS} versions; make another survey", field="version")
    rules.check(survey, earlier)
    since = (known.active_since if known and known.active else tx.now) if survey.active else None
    made = replace(survey, version=known.version + 1 if known else 1, active_since=since)
    await store.insert_survey(tx.conn, made, by=by, now=tx.now)
    return made


async def put_rule(tx: Transaction, quiet_days: int, by: str, *, expected: int) -> Rule:
    """For how long nobody is asked again. Raises `VersionConflict`."""
    await store.lock_surveys(tx.conn)
    known = await store.get_rule(tx.conn)
    if expected != known.version:
        raise VersionConflict("the rule of surveys", known.version)
    made = Rule(known.version + 1, quiet_days)
    await store.insert_rule(tx.conn, made, by=by, now=tx.now)
    return made


async def survey_of(tx: Transaction, code: str) -> Survey:
    """The latest version. Raises `SurveyNotFound`."""
    survey = await store.find_survey(tx.conn, code)
    if survey is None:
        raise SurveyNotFound(f"there is no survey '{code}'")
    return survey
