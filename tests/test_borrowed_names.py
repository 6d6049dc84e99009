"""The names that we borrow from others though nobody promises them are there, in the releases installed here.

Run with --noconftest it tells of them also when nothing of ours can be imported any more.
"""

from __future__ import annotations

import ast
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent

# By package and by our module that uses them: what is private, and what is public but hardly meant for
# others, like hooks that we override, attributes that no manual has, and settings. `X()` is an instance of
# X, and names in parentheses at the end are parameters. What a module borrows anew goes to its others.
BORROWED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "peewee": {
        "models/database/base.py": (
            "peewee.DatabaseProxy().obj",
            "peewee.Model()._meta.sorted_fields",
            "peewee.Model()._meta.table_name",
        ),
        "models/queries/copying.py": (
            "peewee.__exception_wrapper__",
            "peewee.CharField().field_type",
            "peewee.CompositeKey().field_names",
            "peewee.Model()._meta.fields",
            "peewee.Model()._meta.primary_key",
            "peewee.Model()._meta.sorted_fields",
            "peewee.Model()._meta.table_name",
        ),
        "models/tables/feedback.py": ("peewee.Model()._meta.sorted_field_names",),
        "models/queries/bounded_pages.py": ("peewee.Model()._meta.sorted_fields",),
        "models/tables/project_head.py": ("peewee.Model()._meta.sorted_fields",),
        "models/tables/user.py": ("peewee.Model()._meta.sorted_field_names",),
        "models/database/postgres.py": (
            "peewee.__exception_wrapper__",
            "peewee.PostgresqlDatabase.begin(isolation_level)",
        ),
        "models/database/postgres_connections.py": (
            "peewee.PostgresqlDatabase._connect",
            "peewee.PostgresqlDatabase()._state.conn",
            "playhouse.pool.MaxConnectionsExceeded",
            "playhouse.pool._PooledPostgresqlDatabase._can_reuse(conn)",
            "playhouse.pool._PooledPostgresqlDatabase._is_closed(conn)",
            "playhouse.pool._PooledPostgresqlDatabase.close_all",
            "playhouse.pool._PooledPostgresqlDatabase.close_idle",
            "playhouse.pool._PooledPostgresqlDatabase.dispose",
            "playhouse.pool._PooledPostgresqlDatabase.manual_close",
        ),
        "models/tables/daily_count.py": ("peewee.Model()._meta.add_field",),
        "models/database/sqlite.py": (
            "peewee.SqliteDatabase._connect",
            "peewee.SqliteDatabase()._state.conn",
            "peewee.SqliteDatabase()._state.__dict__",
        ),
        "models/queries/personal_data.py": (
            "peewee.CompositeKey().field_names",
            "peewee.Model()._meta.fields",
            "peewee.Model()._meta.primary_key",
            "peewee.Model()._meta.sorted_fields",
            "peewee.Model()._meta.table_name",
        ),
        "benchmarks/tables.py": ("peewee.Model()._meta.sorted_fields",),
        "tests/plans.py": ("peewee.Model()._meta.table_name",),
        "tests/models/test_query_plans.py": ("peewee.Model()._meta.sorted_fields",),
        "tests/cli/test_copying.py": (
            "peewee.Model()._meta.sorted_fields",
            "peewee.Model()._meta.table_name",
        ),
        "tests/core/test_pacing.py": ("peewee.Model()._meta.columns",),
        "tests/models/test_postgres.py": ("peewee.PostgresqlDatabase()._state.conn",),
        "tests/api/test_stats.py": ("peewee.Model()._meta.sorted_fields",),
        "tests/intake/test_store.py": ("peewee.Model()._meta.fields",),
    },
    "huey": {
        "gateway/background/scheduler.py": (
            "huey.consumer.Consumer()._stop_flag_timeout",
            "huey.consumer.Consumer().huey",
            "huey.consumer.Consumer().stop_flag.is_set",
            "huey.consumer.Consumer.loop(health_check_ts)",
            "huey.consumer.Consumer.stop(graceful)",
            "huey.consumer.ConsumerStopped",
            "huey.serializer.SignedSerializer(secret)",
        ),
    },
    "gunicorn": {
        "gateway/server/connection.py": (
            "gunicorn.http.body.Body().reader.read(size)",
            "gunicorn.http.body.ChunkedReader().limit_trailer_section",
            "gunicorn.http.message.Request._expected_100_continue",
            "gunicorn.http.message.Request.force_close",
            "gunicorn.http.unreader.Unreader.take_buffered",
        ),
        "gateway/server/cpu_affinity.py": ("gunicorn.arbiter.Arbiter.WORKERS",),
        "gateway/server/gunicorn_app.py": (
            "gunicorn.app.base.BaseApplication.load_config",
            "gunicorn.arbiter.Arbiter.LISTENERS",
            "gunicorn.arbiter.Arbiter.manage_workers",
            "gunicorn.arbiter.Arbiter.spawn_worker",
            "gunicorn.arbiter.Arbiter.stop(graceful)",
            # A setting that is not there is passed over in silence.
            "gunicorn.config.Config().child_exit",
            "gunicorn.config.Config().control_socket_disable",
            "gunicorn.config.Config().forwarded_allow_ips",
            "gunicorn.config.Config().forwarder_headers",
            "gunicorn.config.Config().graceful_timeout",
            "gunicorn.config.Config().http_parser",
            "gunicorn.config.Config().keepalive",
            "gunicorn.config.Config().post_fork",
            "gunicorn.config.Config().pre_fork",
            "gunicorn.config.Config().pre_request",
            "gunicorn.config.Config().preload_app",
            "gunicorn.config.Config().secure_scheme_headers",
            "gunicorn.config.Config().when_ready",
            "gunicorn.config.Config().worker_class",
            "gunicorn.config.Config().worker_connections",
        ),
        "gateway/server/gevent_worker.py": (
            "gunicorn.http.message.Request.force_close",
            "gunicorn.workers.ggevent.GeventWorker.handle(listener, client, addr)",
            "gunicorn.workers.ggevent.GeventWorker.handle_error(req, client, addr, exc)",
            "gunicorn.workers.ggevent.GeventWorker.handle_request(listener_name, req, sock, addr)",
            "gunicorn.workers.ggevent.GeventWorker.init_signals",
            "gunicorn.workers.ggevent.GeventWorker.load_wsgi",
            "gunicorn.workers.ggevent.GeventWorker.patch",
            "gunicorn.workers.ggevent.GeventWorker.timeout_ctx",
            "gunicorn.config.Config().backlog",
            "gunicorn.config.Config().settings",
            "gunicorn.config.Config().limit_request_fields",
            "gunicorn.sock.TCPSocket.FAMILY",
            "gunicorn.workers.base.Worker(age, ppid, sockets, app, timeout, cfg, log)",
            "gunicorn.workers.workertmp.WorkerTmp.notify",
        ),
    },
    "gevent": {
        "gateway/core/cooperative.py": (
            "gevent.get_hub().loop.run_callback",
            "gevent.get_hub().loop.run_callback_threadsafe",
            "gevent.get_hub().loop.timer(after, repeat)",
        ),
        "gateway/server/gevent_worker.py": (
            "gevent.server.StreamServer.do_handle",
            "gevent.server.StreamServer.do_read",
            "gevent.server.StreamServer.max_accept",
            "gevent.server.StreamServer.close",
            "gevent.get_hub().threadpool.apply",
        ),
    },
    "marshmallow": {
        "adapters/common/schemas.py": (
            "marshmallow.Schema()._hooks.values",
            "marshmallow.Schema().load_fields",
            "marshmallow.Schema().unknown",
            "marshmallow.fields.Field._deserialize(value, attr, data)",
            "marshmallow.fields.Field().error_messages",
            "marshmallow.fields.Field().post_load",
            "marshmallow.fields.Field().pre_load",
            "marshmallow.fields.Field().validators",
            "marshmallow.fields.List._deserialize(value, attr, data)",
            "marshmallow.fields.List().inner",
            "marshmallow.fields.Nested().many",
            "marshmallow.fields.Nested().schema",
            "marshmallow.fields.Nested().unknown",
        ),
        "adapters/contract/description.py": ("marshmallow.Schema.on_bind_field(field_name, field_obj)",),
        "gateway/api/feedback_change.py": ("marshmallow.fields.Field._deserialize(value, attr, data)",),
    },
    "apispec": {
        "gateway/api/openapi/json_schema.py": (
            "apispec.ext.marshmallow.MarshmallowPlugin.Converter",
            "apispec.ext.marshmallow.openapi.OpenAPIConverter.schema2jsonschema(schema)",
        ),
        "gateway/api/openapi/document.py": (
            "apispec.APISpec().components.security_schemes",
            "apispec.ext.marshmallow.MarshmallowPlugin().converter",
            "apispec.ext.marshmallow.openapi.OpenAPIConverter.schema2parameters(schema, location)",
        ),
    },
    "Flask": {
        "gateway/http/flask_app.py": (
            "flask.Flask.create_url_adapter(request)",
            "flask.Flask.ensure_sync(func)",
        ),
        "tests/remembered.py": (
            "flask.Flask.jinja_options",
            "flask.Flask.url_map_class",
            "flask.Flask.url_rule_class",
        ),
    },
    "Werkzeug": {
        "gateway/http/responses.py": (
            "werkzeug.datastructures.Headers()._list",
            "werkzeug.exceptions.MethodNotAllowed().valid_methods",
        ),
        "gateway/http/flask_app.py": (
            "werkzeug.routing.MapAdapter(map, server_name, script_name, subdomain, url_scheme, path_info)",
            "werkzeug.routing.MapAdapter(default_method, query_args)",
            "werkzeug.wrappers.Response.iter_encoded",
        ),
        "gateway/http/request.py": (
            "werkzeug.wsgi.get_content_length(environ)",
            "werkzeug.wsgi.get_input_stream(environ)",
        ),
        "tests/remembered.py": (
            "werkzeug.routing.Map.add(rulefactory)",
            "werkzeug.routing.Map.lock_class",
            "werkzeug.routing.Map.update",
            "werkzeug.routing.Map()._matcher",
            "werkzeug.routing.Map()._remap",
            "werkzeug.routing.Map()._remap_lock",
            "werkzeug.routing.Map()._rules_by_endpoint",
        ),
    },
    "prometheus-client": {
        "gateway/core/metrics.py": (
            "prometheus_client.metrics.values.ValueClass",  # looked up there whenever a metric is made
            "prometheus_client.values.get_value_class",
        ),
        "gateway/server/gunicorn_app.py": ("prometheus_client.multiprocess.mark_process_dead(pid)",),
    },
    "python-ulid": {
        "gateway/core/ids.py": ("ulid.ULIDGenerator(randomness)", "ulid.constants.RANDOMNESS_LEN"),
        "tests/core/test_ids.py": ("ulid.ULIDGenerator().clock",),
    },
    "jmespath": {
        "adapters/common/jmespath_expressions.py": (
            "jmespath.functions.Functions.FUNCTION_TABLE",
            "jmespath.functions.Functions.call_function(function_name, resolved_args)",
            "jmespath.parser.ParsedResult().parsed",
            "jmespath.visitor.TreeInterpreter.COMPARATOR_FUNC",
            "jmespath.visitor.TreeInterpreter.visit(node)",
        ),
    },
    "slack-sdk": {
        "adapters/slack.py": (
            "slack_sdk.signature.Clock.now",
            "slack_sdk.signature.SignatureVerifier(signing_secret, clock)",
        ),
    },
    "Authlib": {
        "gateway/inbox/oidc.py": (
            "authlib.common.errors.AuthlibBaseError.error",
            "authlib.integrations.flask_client.FlaskOAuth2App(framework, client_kwargs)",
            "authlib.integrations.flask_client.FlaskOAuth2App.parse_id_token(token, nonce, claims_options)",
            "authlib.integrations.requests_client.OAuth2Session().hooks",
            "authlib.integrations.requests_client.OAuth2Session().max_redirects",
        ),
    },
    "schemathesis": {
        "tests/api/test_schemathesis.py": (
            "schemathesis.generation.feedback.FeedbackSources",
            "schemathesis.pytest._test_builder.build_operation_test(config, operation, test_func)",
            "schemathesis.pytest._test_builder.build_operation_test(given_kwargs, feedback)",
        ),
    },
    "urllib3": {
        "gateway/core/outbound_connection.py": (
            "urllib3.connection.HTTPConnection().auto_open",
            "urllib3.connection.HTTPConnection().sock",
        ),
    },
    "redis": {
        "tests/rate_limits/test_redis_counter.py": ("redis.Redis().connection_pool",),
    },
}

# How an instance is made, where its class is not just called.
MADE: Mapping[str, Callable[[Any], Any]] = {
    "apispec.APISpec": lambda kind: kind("", "", "3.1.0"),
    "gunicorn.http.body.Body": lambda kind: kind(import_module("gunicorn.http.body").LengthReader(None, 0)),
    "gunicorn.http.body.ChunkedReader": lambda kind: kind(None, None),
    "huey.consumer.Consumer": lambda kind: kind(import_module("huey").MemoryHuey()),
    "jmespath.parser.ParsedResult": lambda kind: kind("a", {}),
    "marshmallow.fields.List": lambda kind: kind(import_module("marshmallow").fields.Field()),
    "marshmallow.fields.Nested": lambda kind: kind(import_module("marshmallow").Schema()),
    "peewee.Model": lambda kind: type("Row", (kind,), {})(),
    "peewee.PostgresqlDatabase": lambda kind: kind(None),
    "peewee.SqliteDatabase": lambda kind: kind(None),
    "urllib3.connection.HTTPConnection": lambda kind: kind("localhost"),
}
FOLDERS = ("adapters", "gateway", "models", "tests", "benchmarks")
ROWS = [
    pytest.param(package, module, name, id=f"{module}-{name}")
    for package, modules in BORROWED.items()
    for module, names in modules.items()
    for name in names
]


def is_there(name: str) -> bool:
    """Whether there is such a name, with such parameters."""
    path, parameters = split(name)
    here: Any = None
    where = ""
    for part in path.split("."):
        word = part.removesuffix("()")
        where = f"{where}.{word}".removeprefix(".")
        try:
            if here is None or (isinstance(here, ModuleType) and not hasattr(here, word)):
                here = import_module(where)
            else:
                here = getattr(here, word)
            if part != word:
                here = MADE[where](here) if where in MADE else here()
        except (ImportError, AttributeError, TypeError):
            return False
    return not parameters or parameters <= set(signature(here).parameters)


def split(name: str) -> tuple[str, set[str]]:
    """A name without its parameters, and these."""
    found = re.fullmatch(r"(.+?)(?:\((\w.*)\))?", name)
    assert found is not None
    return found[1], set((found[2] or "").split(", ")) - {""}


def missing(package: str, module: str, name: str) -> str:
    """One line about a name that is not there, and who misses it."""
    try:
        release = version(package)
    except PackageNotFoundError:
        return f"{package} is not installed; {module} uses {name}"
    return f"{package} {release} has no {name}; {module} uses it"


@pytest.mark.parametrize(("package", "module", "name"), ROWS)
def test_is_there(package: str, module: str, name: str) -> None:
    """A borrowed name is there."""
    if not is_there(name):
        pytest.fail(missing(package, module, name), pytrace=False)


@pytest.mark.parametrize(
    "name", ["peewee.Model()._meta.gone", "peewee.gone.Gone", "peewee.Database.begin(gone)", "gone.Gone"]
)
def test_what_is_gone_is_missed(name: str) -> None:
    """A name, a module, a parameter or a whole package that is not there is told in one line."""
    assert not is_there(name)
    assert missing("peewee", "models/database/base.py", name) == (
        f"peewee {version('peewee')} has no {name}; models/database/base.py uses it"
    )
    assert (
        missing("gone", "models/database/base.py", name)
        == f"gone is not installed; models/database/base.py uses {name}"
    )


def test_peewee_calls_the_first_table_t1() -> None:
    """SQL of ours within a query of peewee's names the table as peewee does
    (models/database/query_dialects.py)."""
    table = type("Row", (import_module("peewee").Model,), {})

    assert ' AS "t1"' in table.select().sql()[0]


def test_peewee_tells_whose_error_it_was() -> None:
    """An error of peewee's has the driver's own, for whose number models look (`_code`, `_state`)."""
    peewee = import_module("peewee")
    own = sqlite3.OperationalError("disk I/O error")

    with pytest.raises(peewee.OperationalError) as raised, peewee.__exception_wrapper__:
        raise own
    assert raised.value.orig is own


def test_no_row_is_left_over() -> None:
    """A module that has rows is there and uses the names; what nobody needs any more goes."""
    left = []
    for modules in BORROWED.values():
        for module, names in modules.items():
            text = (ROOT / module).read_text() if (ROOT / module).exists() else ""
            words = {name: split(name)[0].split(".")[-1] for name in names}
            left += [(module, name) for name, word in words.items() if not re.search(rf"\b{word}\b", text)]

    assert left == []


def test_what_is_private_is_listed() -> None:
    """Each private name that a module of ours takes from somebody else is in its rows."""
    trees = {
        str(path.relative_to(ROOT)): ast.parse(path.read_text())
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }
    ours = {name for tree in trees.values() for name in defined(tree)}
    unlisted = {}
    for module, tree in trees.items():
        rows = " ".join(name for modules in BORROWED.values() for name in modules.get(module, ()))
        if names := set(private(tree, ours)) - set(re.findall(r"\w+", rows)):
            unlisted[module] = names

    assert unlisted == {}


def defined(tree: ast.Module) -> Iterator[str]:
    """The names that a module gives to something: in itself (`.name`), in its classes and their objects."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            yield from (f".{name}" for name in named(node))
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield f".{node.name}"
    for owner in ast.walk(tree):
        if isinstance(owner, ast.ClassDef):
            for node in ast.walk(owner):
                if isinstance(node, ast.FunctionDef):
                    yield node.name
                elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                    yield from named(node)  # without a value it is only said to be there


def named(node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    """The names that are set here, and attributes without what they are of."""
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        for part in ast.walk(target):
            if isinstance(part, ast.Name | ast.Attribute) and isinstance(part.ctx, ast.Store):
                yield part.id if isinstance(part, ast.Name) else part.attr


def private(tree: ast.Module, ours: set[str]) -> Iterator[str]:
    """The private names of others that a module uses: imported, of an object, or of a class it is made of."""
    pythons, modules = set(), set()
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.ImportFrom | ast.Import):
            for alias in node.names:
                source = (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
                package = source.partition(".")[0]
                if package in sys.stdlib_module_names:
                    pythons.add(alias.asname or alias.name)
                elif package in FOLDERS:
                    modules.add(alias.asname or alias.name)
                elif alias.name.startswith("_"):
                    yield alias.name
    for node in nodes:
        # The _replace of named tuples is documented.
        if isinstance(node, ast.Attribute) and re.match(r"_(?!_|replace$)", node.attr):
            owner = ast.unparse(node.value)
            known = owner in pythons or (owner in modules and f".{node.attr}" in ours)
            if owner == "super()" or not (known or node.attr in ours):
                yield node.attr
