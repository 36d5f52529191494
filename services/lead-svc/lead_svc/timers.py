"""Time in."""

from ltc_chassis.db import Transaction
from ltc_chassis.runtime import Runtime
from ltc_chassis.timers import Errand, Timer

from lead_svc.handlers import (
    assignment,
    decay,
    disqualification,
    duplicate_scans,
    escalation,
    feedback,
    hook_fetch,
    hooks,
    imports,
    nurture,
    nurture_entry,
    predictive,
    privacy,
    privacy_exports,
    protection,
    segments,
    visits,
    what_if,
)
from lead_svc.settings import Settings


async def import_rows(tx: Transaction) -> int:
    """The next rows of an import; a transaction each, so that it goes on where it was after a stop."""
    return await imports.import_rows(tx)


async def return_to_pool(tx: Transaction) -> int:
    """Leads whose protection is over."""
    return await protection.return_due(tx, limit=200)


async def score_due(tx: Transaction) -> int:
    """Leads whose band may have changed by time or by a new rule."""
    return await decay.score_due(tx, limit=200)


async def return_to_nurturing(tx: Transaction) -> int:
    """Leads whose wait is over."""
    return await disqualification.return_due(tx, limit=200)


async def run_segments(tx: Transaction) -> int:
    """The next leads to look at again because a segment or a classification begins."""
    return await segments.run_chunk(tx, limit=500)


async def run_what_if(tx: Transaction) -> int:
    """The next leads of a run of a proposed rule."""
    return await what_if.run_chunk(tx, limit=250)


async def forget_visits(tx: Transaction) -> int:
    """Visits older than they are kept."""
    return await visits.forget_old(tx, keep_days=tx.settings_as(Settings).visit_keep_days, limit=1000)


async def schedule_training(tx: Transaction) -> int:
    """Whether there is enough new to learn from."""
    return await predictive.schedule(tx)


async def train_model(tx: Transaction) -> int:
    """The predictive model that waits, in a process of its own."""
    return await predictive.train_due(tx)


async def scan_duplicates(tx: Transaction) -> int:
    """The next leads of a scan for duplicates."""
    return await duplicate_scans.go_on(tx, keys=2000, names=100)


async def forget_scans(tx: Transaction) -> int:
    """Scans older than they are kept."""
    return await duplicate_scans.forget_old(tx)


async def enter_journeys(tx: Transaction) -> int:
    """Leads whom an entry rule takes."""
    return await nurture_entry.enter_due(tx, limit=500)


async def nurture_steps(tx: Transaction) -> int:
    """Leads for whom the next step of a journey is due."""
    return await nurture.step_due(tx, limit=50)


async def nurture_mails(tx: Transaction) -> int:
    """Mails of journeys of which something has become."""
    return await nurture.settle_mails(tx, limit=200)


async def export_feedback(tx: Transaction) -> int:
    """The next leads of an export for an ad platform."""
    return await feedback.export_chunk(tx, limit=500)


async def assign_leads(tx: Transaction) -> int:
    """Leads that nobody has and nobody was ever given."""
    return await assignment.assign_due(tx, limit=100)


async def erase_persons(tx: Transaction) -> int:
    """The next erasure of a person that was confirmed."""
    return await privacy.erase_due(tx)


async def export_persons(tx: Transaction) -> int:
    """The next copy of a person's data that was confirmed."""
    return await privacy_exports.export_due(tx)


async def delete_exports(tx: Transaction) -> int:
    """Copies whose time is over."""
    return await privacy_exports.delete_files(tx, limit=100)


async def work_deliveries(tx: Transaction) -> int:
    """Deliveries of ad platforms that were taken in and not worked on."""
    return await hooks.work_due(tx)


async def fetch_answers(runtime: Runtime) -> int:
    """Leads of which an ad platform told the id only."""
    return await hook_fetch.fetch_due(runtime)


async def forget_deliveries(tx: Transaction) -> int:
    """Bytes of deliveries that are older than they are kept."""
    return await hooks.forget_old(tx)


async def tell_responses(tx: Transaction) -> int:
    """First responses to warn of, or that are late."""
    return await escalation.tell_due(tx, limit=50)


async def remind_tasks(tx: Transaction) -> int:
    """Tasks that nobody did by their moment."""
    return await escalation.remind_overdue(tx, limit=200)


TIMERS = [
    Timer("import-rows", import_rows),
    Timer("return-to-pool", return_to_pool, every=1.0),
    Timer("score-due", score_due, every=1.0),
    Timer("segments", run_segments, every=0.5),
    Timer("what-if", run_what_if, every=0.5),
    Timer("schedule-training", schedule_training, every=5.0),
    Timer("train-model", train_model, every=2.0),
    Timer("return-to-nurturing", return_to_nurturing, every=1.0),
    Timer("export-feedback", export_feedback, every=1.0),
    Timer("forget-visits", forget_visits, every=60.0),
    Timer("scan-duplicates", scan_duplicates, every=0.5),
    Timer("forget-scans", forget_scans, every=600.0),
    Timer("enter-journeys", enter_journeys, every=1.0),
    Timer("nurture-steps", nurture_steps, every=0.5),
    Timer("nurture-mails", nurture_mails, every=1.0),
    Timer("assign-leads", assign_leads, every=1.0),
    Timer("tell-responses", tell_responses, every=1.0),
    Timer("remind-tasks", remind_tasks, every=1.0),
    Timer("erase-persons", erase_persons, every=1.0),
    Timer("export-persons", export_persons, every=1.0),
    Timer("delete-exports", delete_exports, every=60.0),
    Timer("capture-deliveries", work_deliveries, every=1.0),
    Timer("forget-deliveries", forget_deliveries, every=60.0),
]
# These go out to the world between two transactions.
ERRANDS = [Errand("capture-answers", fetch_answers, every=1.0)]
