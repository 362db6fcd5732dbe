"""The composition root: the only place where use cases meet adapters.

One builder per function, each importing only what that function needs (a cold start pays for every import), each
reading its settings from the environment. A handler calls its builder once per container.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regulars.runtime.settings import contracts_folder, optional, pairs, program_folder, required

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from regulars.adapters.aws.program import S3ProgramStore
    from regulars.adapters.aws.secrets import SecretsManager
    from regulars.application.collect.service import Collect
    from regulars.application.evaluate_customers import EvaluateCustomers
    from regulars.application.ingest import IngestReport
    from regulars.application.intake import Intake
    from regulars.application.receive_orders import ReceiveOrders
    from regulars.application.record_feedback import FeedbackReport
    from regulars.application.refresh import History, RefreshReport
    from regulars.application.replay_bad import ReplayReport
    from regulars.application.send_messages import SendMessages
    from regulars.application.survey_page import SurveyPage
    from regulars.application.unsubscribe_page import UnsubscribePage
    from regulars.application.update_customers import UpdateCustomers
    from regulars.application.webhooks.fetching import FetchReport
    from regulars.domain.scores.model import NightlyFit
    from regulars.ports import Catalogue


def ingest() -> Callable[[Sequence[tuple[str, str]]], IngestReport]:
    """Ingest into the bucket BUCKET_NAME, by the contracts and sources packaged with it, with the products of the table
    TABLE_NAME: takes (message id, body) pairs."""
    from regulars.adapters.aws.dynamo import dynamo_client
    from regulars.adapters.aws.lake import S3EventLog
    from regulars.adapters.aws.s3 import s3_client
    from regulars.adapters.bots import CrawlerList
    from regulars.application.ingest import ingest as use_case

    client = s3_client()
    return partial(
        use_case,
        log=S3EventLog(client, required("BUCKET_NAME")),
        bots=CrawlerList(),
        intake=intake(),
        catalogue=_catalogue(dynamo_client(), lasts=timedelta(minutes=5)),
    )


def _catalogue(dynamo: Any, *, lasts: timedelta) -> Catalogue:
    """The products of the table TABLE_NAME, remembered for some time."""
    from regulars.adapters.aws.catalogue import DynamoCatalogue
    from regulars.adapters.system import SystemClock
    from regulars.application.catalogue import RememberedCatalogue

    catalogue = DynamoCatalogue(dynamo, required("TABLE_NAME"))
    return RememberedCatalogue(catalogue, clock=SystemClock(), lasts=lasts)


def intake() -> Intake:
    """What is done to an event before the lake keeps it; whoever appends to the lake what came from outside does it."""
    from regulars.adapters.contacts import ContactForms
    from regulars.adapters.contract_checker import JsonSchemaContracts
    from regulars.adapters.contract_files import newest_contracts
    from regulars.adapters.program_files import program_files
    from regulars.application.intake import Intake
    from regulars.domain.sources import load_sources

    return Intake(
        contacts=ContactForms(),
        contracts=JsonSchemaContracts(newest_contracts(contracts_folder())),
        sources=load_sources(program_files(program_folder())),
    )


def collect(snippet: Path, document: Path, analytics: Path) -> Collect:
    """Collect into the queue EVENTS_QUEUE_URL, for the write keys WRITE_KEYS and pages of ALLOWED_ORIGINS.

    `snippet`, `document`: the files served as /r.js and /openapi.json; `analytics`: Segment's browser library.
    """
    from functools import partial

    from regulars.adapters.aws.queue import SqsQueue, sqs_client
    from regulars.adapters.system import RandomIds
    from regulars.application.collect import static
    from regulars.application.collect.cors import Origins
    from regulars.application.collect.keys import WriteKeys
    from regulars.application.collect.service import Collect

    return Collect(
        keys=WriteKeys(pairs("WRITE_KEYS")),
        origins=Origins(optional("ALLOWED_ORIGINS", "*")),
        queue=SqsQueue(sqs_client(), required("EVENTS_QUEUE_URL")),
        ids=RandomIds(),
        files={
            static.SNIPPET_PATH: static.StaticFile(snippet.read_text(encoding="utf-8"), static.JAVASCRIPT),
            static.DOCUMENT_PATH: static.LazyFile(partial(document.read_text, encoding="utf-8"), static.JSON),
            static.ANALYTICS_PATH: static.LazyFile(partial(analytics.read_text, encoding="utf-8"), static.JAVASCRIPT),
        },
    )


def update_customers() -> UpdateCustomers:
    """Fold what lands in the bucket BUCKET_NAME into the table TABLE_NAME."""
    from regulars.adapters.aws.catalogue import DynamoCatalogue
    from regulars.adapters.aws.customers import DynamoCustomerStore
    from regulars.adapters.aws.dynamo import dynamo_client
    from regulars.adapters.aws.lake import S3EventLog
    from regulars.adapters.aws.s3 import s3_client
    from regulars.adapters.system import RandomIds
    from regulars.application.update_customers import UpdateCustomers

    client = s3_client()
    bucket, table = required("BUCKET_NAME"), required("TABLE_NAME")
    dynamo = dynamo_client()
    return UpdateCustomers(
        log=S3EventLog(client, bucket),
        store=DynamoCustomerStore(dynamo, table),
        catalogue=DynamoCatalogue(dynamo, table),
        programs=_programs(client, bucket),
        ids=RandomIds(),
    )


def evaluate_customers() -> EvaluateCustomers:
    """Evaluate the customers of the table TABLE_NAME; relay to EVENTS_QUEUE_URL and MESSAGES_QUEUE_URL."""
    from regulars.adapters.aws.customers import DynamoCustomerStore
    from regulars.adapters.aws.dynamo import dynamo_client
    from regulars.adapters.aws.queue import SqsQueue, sqs_client
    from regulars.adapters.aws.s3 import s3_client
    from regulars.adapters.system import RandomIds, SystemClock
    from regulars.application.evaluate_customers import EvaluateCustomers
    from regulars.application.outbox import Relay

    store = DynamoCustomerStore(dynamo_client(), required("TABLE_NAME"))
    sqs = sqs_client()
    ids = RandomIds()
    s3 = s3_client()
    return EvaluateCustomers(
        store=store,
        programs=_programs(s3, required("BUCKET_NAME")),
        relay=Relay(
            store=store,
            messages=SqsQueue(sqs, required("MESSAGES_QUEUE_URL")),
            events=SqsQueue(sqs, required("EVENTS_QUEUE_URL")),
            ids=ids,
        ),
        clock=SystemClock(),
        ids=ids,
    )


def tick() -> Callable[[], int]:
    """Bring the due customers of the table TABLE_NAME to the queue DUE_QUEUE_URL."""
    from regulars.adapters.aws.customers import DynamoCustomerStore
    from regulars.adapters.aws.dynamo import dynamo_client
    from regulars.adapters.aws.queue import SqsQueue, sqs_client
    from regulars.adapters.system import SystemClock
    from regulars.application.tick import tick as use_case

    return partial(
        use_case,
        store=DynamoCustomerStore(dynamo_client(), required("TABLE_NAME")),
        due=SqsQueue(sqs_client(), required("DUE_QUEUE_URL")),
        clock=SystemClock(),
    )


def refresh() -> tuple[Callable[[], RefreshReport], Callable[[], RefreshReport]]:
    """(refresh, announce): new parameters and models in BUCKET_NAME from the table TABLE_NAME; whom they may move,
    through DUE_QUEUE_URL."""
    from regulars.adapters.aws.customers import DynamoCustomerStore
    from regulars.adapters.aws.dynamo import dynamo_client
    from regulars.adapters.aws.queue import SqsQueue, sqs_client
    from regulars.adapters.aws.s3 import s3_client
    from regulars.adapters.system import SystemClock
    from regulars.application import refresh as use_cases

    def fit(people: Iterable[History], now: datetime) -> NightlyFit:
        """Loads what it needs when it is called: `announce` does not."""
        from regulars.adapters.fitting_scores import fit_people

        return fit_people(people, now)

    store = DynamoCustomerStore(dynamo_client(), required("TABLE_NAME"))
    programs = _programs(s3_client(), required("BUCKET_NAME"))
    due, clock = SqsQueue(sqs_client(), required("DUE_QUEUE_URL")), SystemClock()
    return (
        partial(use_cases.refresh, store=store, programs=programs, fit=fit, clock=clock),
        partial(use_cases.announce, store=store, programs=programs, due=due, clock=clock),
    )


def send_messages() -> SendMessages:
    """Send through SES and SNS under the ledger of the table TABLE_NAME, with its products; outcomes go to
    EVENTS_QUEUE_URL.

    SHOP_URL (optional) is the shop's front page, and the only site that messages link to.
    """
    from regulars.adapters.aws.dynamo import dynamo_client
    from regulars.adapters.aws.ledger import DynamoLedger
    from regulars.adapters.aws.queue import SqsQueue, sqs_client
    from regulars.adapters.aws.ses import SesMailer, ses_client
    from regulars.adapters.aws.sns import SnsTexter, sns_client
    from regulars.adapters.system import RandomIds, SystemClock
    from regulars.adapters.templates import JinjaTemplates
    from regulars.adapters.tokens import SignedSurveys, SignedTokens
    from regulars.application.compose_message import Shop
    from regulars.application.send_messages import SendMessages

    secrets, name = _token_secrets()
    dynamo = dynamo_client()
    shop = Shop(
        name=required("SHOP_NAME"),
        postal_address=required("POSTAL_ADDRESS"),
        public_url=required("PUBLIC_URL"),
        url=optional("SHOP_URL", ""),
    )
    folder = program_folder() / "templates"
    return SendMessages(
        ledger=DynamoLedger(dynamo, required("TABLE_NAME")),
        mailer=SesMailer(
            ses_client(),
            sender=required("SENDER_EMAIL"),
            sender_name=shop.name,
            configuration_set=required("CONFIGURATION_SET"),
        ),
        texter=SnsTexter(sns_client()),
        templates=JinjaTemplates(folder, shop_url=shop.url),
        tokens=SignedTokens(secrets, name),
        surveys=SignedSurveys(secrets, name),
        catalogue=_catalogue(dynamo, lasts=timedelta(minutes=1)),
        events=SqsQueue(sqs_client(), required("EVENTS_QUEUE_URL")),
        clock=SystemClock(),
        ids=RandomIds(),
        shop=shop,
    )


def record_feedback() -> Callable[[Sequence[tuple[str, str]]], FeedbackReport]:
    """The e-mail provider's events to EVENTS_QUEUE_URL, proofs of sending to MESSAGES_QUEUE_URL."""
    from regulars.adapters.aws.queue import SqsQueue, sqs_client
    from regulars.adapters.system import SystemClock
    from regulars.application.record_feedback import record_feedback as use_case

    sqs = sqs_client()
    return partial(
        use_case,
        events=SqsQueue(sqs, required("EVENTS_QUEUE_URL")),
        sends=SqsQueue(sqs, required("MESSAGES_QUEUE_URL")),
        clock=SystemClock(),
    )


def unsubscribe() -> UnsubscribePage:
    """Opt-outs into the table TABLE_NAME, told to EVENTS_QUEUE_URL."""
    from regulars.adapters.aws.dynamo import dynamo_client
    from regulars.adapters.aws.ledger import DynamoLedger
    from regulars.adapters.aws.queue import SqsQueue, sqs_client
    from regulars.adapters.system import SystemClock
    from regulars.adapters.tokens import SignedTokens
    from regulars.application.unsubscribe_page import UnsubscribePage

    return UnsubscribePage(
        tokens=SignedTokens(*_token_secrets()),
        opt_outs=DynamoLedger(dynamo_client(), required("TABLE_NAME")),
        events=SqsQueue(sqs_client(), required("EVENTS_QUEUE_URL")),
        clock=SystemClock(),
        shop_name=required("SHOP_NAME"),
    )


def survey() -> SurveyPage:
    """Answers to surveys to EVENTS_QUEUE_URL, from links signed with the secret TOKEN_SECRET_NAME."""
    from regulars.adapters.aws.queue import SqsQueue, sqs_client
    from regulars.adapters.tokens import SignedSurveys
    from regulars.application.survey_page import SurveyPage

    return SurveyPage(
        tokens=SignedSurveys(*_token_secrets()),
        events=SqsQueue(sqs_client(), required("EVENTS_QUEUE_URL")),
        shop_name=required("SHOP_NAME"),
    )


def _token_secrets() -> tuple[SecretsManager, str]:
    """The secrets, and the name of the one that signs links: TOKEN_SECRET_NAME."""
    import botocore.session

    from regulars.adapters.aws.secrets import SecretsManager

    client = botocore.session.get_session().create_client("secretsmanager")
    return SecretsManager(client), required("TOKEN_SECRET_NAME")


def _programs(s3: Any, bucket: str) -> S3ProgramStore:
    """The program packaged with the function, under the parameters of the bucket."""
    from regulars.adapters.aws.program import S3ProgramStore
    from regulars.adapters.system import SystemClock

    folder = program_folder()
    return S3ProgramStore(s3, bucket, folder, clock=SystemClock())


def receive_orders() -> ReceiveOrders:
    """Signed webhooks into the queue EVENTS_QUEUE_URL; ORDER_SECRET_PREFIX and a source's name call its secret.

    FETCHES_QUEUE_URL (optional) takes what must be fetched from a shop; SHOP_CURRENCY (optional) is that of product
    prices that name none.
    """
    import botocore.session
    from botocore.config import Config

    from regulars.adapters.aws.queue import SqsQueue, sqs_client
    from regulars.adapters.aws.secrets import SecretsManager
    from regulars.application.receive_orders import ReceiveOrders

    config = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
    secrets = botocore.session.get_session().create_client("secretsmanager", config=config)
    sqs, fetches = sqs_client(), optional("FETCHES_QUEUE_URL", "")
    return ReceiveOrders(
        secrets=SecretsManager(secrets),
        secret_prefix=required("ORDER_SECRET_PREFIX"),
        queue=SqsQueue(sqs, required("EVENTS_QUEUE_URL")),
        fetches=SqsQueue(sqs, fetches) if fetches else None,
        shop_currency=optional("SHOP_CURRENCY", "") or None,
    )


def fetch_shop() -> Callable[[Sequence[tuple[str, str]]], FetchReport]:
    """From BigCommerce's API at BIGCOMMERCE_URL into the queue EVENTS_QUEUE_URL: takes (message id, body) pairs.
    API_SECRET_PREFIX and a source's name call the secret with its account."""
    import botocore.session

    from regulars.adapters.aws.queue import SqsQueue, sqs_client
    from regulars.adapters.aws.secrets import SecretsManager
    from regulars.adapters.shop_api import BigCommerceApi
    from regulars.application.webhooks.fetching import FetchShop

    secrets = SecretsManager(botocore.session.get_session().create_client("secretsmanager"))
    return FetchShop(
        api=BigCommerceApi(secrets, secret_prefix=required("API_SECRET_PREFIX"), url=required("BIGCOMMERCE_URL")),
        events=SqsQueue(sqs_client(), required("EVENTS_QUEUE_URL")),
        shop_currency=optional("SHOP_CURRENCY", "") or None,
    )


def replay_bad(bucket: str) -> Callable[..., ReplayReport]:
    """Replay the bad rows of a bucket: takes `selection` and `dry_run`. An operator's command, not a function;
    SHOP_CURRENCY (optional) as receive_orders has it."""
    from regulars.adapters.aws.lake import S3EventLog
    from regulars.adapters.aws.s3 import s3_client
    from regulars.adapters.bots import CrawlerList
    from regulars.application.replay_bad import all_normalisers
    from regulars.application.replay_bad import replay_bad as use_case

    log = S3EventLog(s3_client(), bucket)
    normalisers = all_normalisers(shop_currency=optional("SHOP_CURRENCY", "") or None)
    return partial(use_case, log=log, replays=log, bots=CrawlerList(), intake=intake(), normalisers=normalisers)
