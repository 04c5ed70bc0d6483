"""What counts as a secret in a variable: by table, with the harmless neighbours of each."""

from __future__ import annotations

import random
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.rules._secrets import secret

LETTERS = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zAbCdEfGhIjKlMnOpQrStUvWxYz0123456789"


def made(beginning: str, length: int) -> str:
    """A text in the form of a token; none stands in this file, so that scanners of this repository stay quiet."""
    return beginning + LETTERS[: length - len(beginning)]


SECRETS = [
    # Passwords: whatever they are, they work.
    ("POSTGRES_PASSWORD", "postgres", "a password"),
    ("MYSQL_ROOT_PASSWORD", "example", "a password"),
    ("MYSQL_PASSWORD", "mysqlpw ", "a password"),
    ("DB_PASSWORD", "changeme", "a password"),
    ("GF_SECURITY_ADMIN_PASSWORD", "admin", "a password"),
    ("database__connection__password", "hunter2", "a password"),
    ("spring.datasource.password", "hunter2", "a password"),
    ("adminPassword", "hunter2", "a password"),
    ("PGPASSWORD", "hunter2", "a password"),
    ("DBPASS", "hunter2", "a password"),
    ("MYSQL_PWD", "root", "a password"),
    ("RABBITMQ_DEFAULT_PASS", '"guest"', "a password"),
    ("SA_PASSWORD", "yourStrong(!)Password", ""),  # asks to be replaced
    ("ADMIN_PASSWORD", "123456", "a password"),
    ("PASSWORD_2", "hunter2", "a password"),
    ("DB_PASSWORD", "pa$$word", "a password"),
    ("NEO4J_AUTH", "neo4j/letmein", "a password"),
    # Secrets and keys that their owner makes up.
    ("JWT_SECRET", "supersecret", "a secret"),
    ("SECRET_KEY", "change-me-in-production", "a secret"),
    ("SECRET_KEY_BASE", "0123456789abcdef", "a secret"),
    ("N8N_ENCRYPTION_KEY", "n8n-encryption", "a secret"),
    ("MEILI_MASTER_KEY", "masterKey", "a secret"),
    ("AWS_SECRET_ACCESS_KEY", "minioadmin", "a secret"),
    ("MINIO_SECRET_KEY", "minio123", "a secret"),
    ("APP_KEY", "base64:" + LETTERS[:44], "a secret"),
    ("VAULT_DEV_ROOT_TOKEN_ID", "root", "a token"),
    ("ADMIN_TOKEN", "letmein", "a token"),
    # Tokens that somebody hands out.
    ("CF_API_TOKEN", LETTERS[:40], "a token"),
    ("OPENAI_API_KEY", LETTERS[:32], "a token"),
    ("SERVICE_ROLE_KEY", LETTERS[:32], "a token"),
    # By form, whatever the name.
    ("X", made("ghp_", 40), "a GitHub token"),
    ("X", made("github_pat_", 60), "a GitHub token"),
    ("X", "AKIA" + "QYLPMN5HFIQR7XYA", "an AWS access key"),
    ("AWS_ACCESS_KEY_ID", "AKIA" + "QYLPMN5HFIQR7XYA", "an AWS access key"),
    ("X", made("sk_live_", 32), "a Stripe key"),
    ("X", made("xoxb-", 50), "a Slack token"),
    ("X", made("glpat-", 26), "a GitLab token"),
    ("X", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn\n", "a private key"),
    ("X", "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXktdjEAAAA\\n", "a private key"),
    ("WEBHOOK", made("https://hooks.slack.com/services/", 80), "a Slack webhook"),
    # In what connects.
    ("DATABASE_URL", "postgres://app:hunter2@db:5432/app", "a password in a URL"),
    ("REDIS_URL", "redis://:hunter2@redis:6379/0", "a password in a URL"),
    ("CELERY_BROKER_URL", "amqp://guest:guest@rabbit//", "a password in a URL"),
    ("JDBC", "jdbc:mysql://db/app?user=root&password=hunter2", "a password in a connection string"),
    ("ConnectionStrings__Default", "Server=db;User Id=sa;Password=Pass@word1;", "a password in a connection string"),
    # Defaults are used by everybody who sets nothing.
    ("DB_PASSWORD", "${DB_PASSWORD:-postgres}", "a default password"),
    ("DB_PASSWORD", "${DB_PASSWORD-postgres}", "a default password"),
    ("DB_PASSWORD", "${A:-${B:-postgres}}", "a default password"),
    ("DATABASE_URL", "postgres://${U:-app}:${P:-hunter2}@db/app", "a default password in a URL"),
    ("JWT_SECRET", "${JWT_SECRET:-dev-only-secret}", "a default secret"),
]
HARMLESS = [
    # Variables, references, files.
    ("POSTGRES_PASSWORD", "${POSTGRES_PASSWORD}"),
    ("POSTGRES_PASSWORD", "$POSTGRES_PASSWORD"),
    ("POSTGRES_PASSWORD", "${POSTGRES_PASSWORD:?set it}"),
    ("POSTGRES_PASSWORD", "${POSTGRES_PASSWORD:-}"),
    ("POSTGRES_PASSWORD", "${A:-${B}}"),
    ("POSTGRES_PASSWORD", "prefix-${POSTGRES_PASSWORD}"),
    ("DATABASE_URL", "postgres://app:${DB_PASSWORD}@db/app"),
    ("DATABASE_URL", "postgres://${USER:-app}:${DB_PASSWORD}@db/app"),
    ("DB_PASSWORD", "{{ db_password }}"),
    ("DB_PASSWORD", "op://vault/db/password"),
    ("POSTGRES_PASSWORD_FILE", "/run/secrets/db-password"),
    ("DB_PASSWORD", "/run/secrets/db-password"),
    ("TLS_PRIVATE_KEY", "certs/server.key"),
    ("ORDERER_GENERAL_TLS_PRIVATEKEY", "/var/hyperledger/orderer/tls/server.key"),
    ("GOOGLE_APPLICATION_CREDENTIALS", "/tmp/credentials/service-account.json"),
    # Empty, flags, modes.
    ("POSTGRES_PASSWORD", ""),
    ("POSTGRES_PASSWORD", '""'),
    ("ALLOW_EMPTY_PASSWORD", "yes"),
    ("MYSQL_RANDOM_ROOT_PASSWORD", "1"),
    ("MYSQL_ALLOW_EMPTY_PASSWORD", "hunter2"),
    ("NEO4J_AUTH", "none"),
    ("POSTGRES_HOST_AUTH_METHOD", "trust"),
    ("KC_HTTPS_CLIENT_AUTH", "required"),
    # Texts that ask to be replaced.
    ("DD_API_KEY", "__your_datadog_api_key_here__"),
    ("API_KEY", "<api key>"),
    ("API_KEY", "xxxxxxxxxxxxxxxxxxxx1"),
    ("API_KEY", "REPLACE_WITH_YOUR_KEY_1234567"),
    ("DB_PASSWORD", "********"),
    ("API_TOKEN", "my-api-token"),
    ("OPENAI_API_KEY", "not-needed-for-ollama-1"),
    ("US_MASTER_TOKEN", "fake-us-master-token"),
    ("AWS_ACCESS_KEY_ID", "AKIA" + "IOSFODNN7EXAMPLE"),
    # Names that only sound like it.
    ("PWD", "/app"),
    ("PASSWORD_MIN_LENGTH", "12"),
    ("TOKEN_EXPIRY", "3600"),
    ("MAX_TOKENS", "4096"),
    ("TOKEN_URL", "https://id.example.com/token"),
    ("SECRET_NAME", "my-secret-1"),
    ("ETCD_INITIAL_CLUSTER_TOKEN", "etcd-cluster-1"),
    ("INTERNAL_KEY_CONVERTER", "org.apache.kafka.connect.json.JsonConverter"),
    ("NEXT_PUBLIC_API_KEY", LETTERS[:40]),
    ("RECAPTCHA_SITE_KEY", LETTERS[:40]),
    ("PROXY_PASS", "http://backend:8080"),
    ("BYPASS", "localhost"),
    ("AWS_ACCESS_KEY_ID", "minio"),
    ("POSTGRES_USER", "postgres"),
    ("CACHE_KEY", "prefix-2024-abcdef"),
    # Forms that only begin alike.
    ("X", "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYD"),
    ("X", "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA"),
    ("X", "hf_hub"),
    ("X", "AKIA"),
    ("REDIS_URL", "redis://redis:6379/0"),
    ("ORDER_DB_URI", "mongodb://documentdb:10260/?tls=true&tlsAllowInvalidCertificates=true"),
    ("EMAIL", "postgres://app@db"),
    ("URL", "https://example.com/@scope:tag"),
    ("AZURE_STORAGE", "AccountName=devstoreaccount1;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq;"),
]


@pytest.mark.parametrize(("name", "value", "expected"), SECRETS)
def test_what_is_a_secret(name: str, value: str, expected: str) -> None:
    assert secret(name, value) == expected


@pytest.mark.parametrize(("name", "value"), HARMLESS)
def test_what_is_none(name: str, value: str) -> None:
    assert secret(name, value) == ""


def test_the_answer_never_contains_the_secret() -> None:
    kinds = {secret(name, value) for name, value, _ in SECRETS}
    for _, value, _ in SECRETS:
        told = value.strip('"').strip()
        assert not any(told in kind for kind in kinds if told not in ("a", "")), "the answer is one of few words"
    assert len(kinds) < len(SECRETS) / 2


@given(st.text(max_size=80), st.text(max_size=200))
def test_any_text_has_an_answer(name: str, value: str) -> None:
    assert isinstance(secret(name, value), str)


@given(st.sampled_from(["POSTGRES_PASSWORD", "JWT_SECRET", "CF_API_TOKEN"]), st.from_regex(r"\$\{[A-Z_]{1,20}\}", fullmatch=True))
def test_a_variable_is_no_secret(name: str, value: str) -> None:
    assert secret(name, value) == ""


def test_a_random_token_is_always_seen() -> None:
    draw = random.Random(7)
    signs = string.ascii_letters + string.digits
    values = ["".join(draw.choice(signs) for _ in range(38)) + "a1" for _ in range(200)]
    assert sum(secret("DEPLOY_TOKEN", value) != "" for value in values) >= 198


@pytest.mark.parametrize("value", ["${" * 20000, "${A:-" * 20000 + "}" * 20000, "$a" * 50000, "a://" * 50000, "=;" * 100000])
def test_a_monster_takes_no_time(value: str) -> None:
    before = time.process_time()
    secret("DB_PASSWORD", value)
    assert time.process_time() - before < 0.2
