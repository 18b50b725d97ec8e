import csv
import io
from dataclasses import replace

from app.clients.usage_report import as_csv, record_of
from app.store.ledger_records import UsageBy, UsageSum, UsageSums

SUM = UsageSum(
    key="2026-11-25",
    name=None,
    calls=4,
    failed_calls=1,
    unpriced_calls=0,
    input_tokens=3_000,
    output_tokens=300,
    thinking_tokens=150,
    cached_tokens=1_200,
    input_by_modality={"text": 30, "image": 2_970, "audio": 0, "video": 0, "document": 0},
    bytes_in=15_000,
    bytes_out=1_800,
    estimated_cost_usd=0.5,
)


def csv_of(*sums: UsageSum, by: UsageBy = UsageBy.DAY) -> str:
    return as_csv(UsageSums(sums, has_more=False), by)


def test_a_usage_record_names_its_group() -> None:
    record = record_of(SUM, UsageBy.DAY)

    assert record["day"] == "2026-11-25"
    assert {"key", "name", "client_name"}.isdisjoint(record)


def test_a_clients_record_has_its_name_beside_its_id() -> None:
    record = record_of(replace(SUM, key="cli_1", name="web"), UsageBy.CLIENT)

    assert (record["client"], record["client_name"]) == ("cli_1", "web")


def test_csv_has_a_header_and_a_line_for_each_sum() -> None:
    assert csv_of(SUM) == (
        "day,calls,failed_calls,unpriced_calls,input_tokens,output_tokens,thinking_tokens,cached_tokens,input_text,"
        "input_image,input_audio,input_video,input_document,bytes_in,bytes_out,estimated_cost_usd\r\n"
        "2026-11-25,4,1,0,3000,300,150,1200,30,2970,0,0,0,15000,1800,0.5\r\n"
    )


def test_csv_of_nothing_is_its_header() -> None:
    text = csv_of(by=UsageBy.CLIENT)

    assert text.startswith("client,client_name,calls,")
    assert text.count("\r\n") == 1


def test_an_unknown_value_is_an_empty_csv_cell() -> None:
    [row] = csv.DictReader(io.StringIO(csv_of(replace(SUM, key=None, estimated_cost_usd=None), by=UsageBy.MODEL)))

    assert (row["model"], row["estimated_cost_usd"]) == ("", "")


def test_no_spreadsheet_takes_a_name_for_a_formula() -> None:
    hostile = replace(SUM, key='=HYPERLINK("http://x","y")', name="@SUM(A1)")

    [row] = csv.DictReader(io.StringIO(csv_of(hostile, by=UsageBy.CLIENT)))

    assert (row["client"], row["client_name"]) == ('\'=HYPERLINK("http://x","y")', "'@SUM(A1)")
