//! Writing answers: our writer, from the BSON in the driver's buffer, compared with the bson library's own
//! route to canonical Extended JSON, which goes through documents and a tree of JSON. A list of a hundred call
//! logs. Run with `cargo bench --profile server --package zetra-data-api --bench ejson`.

#![allow(clippy::unwrap_used, reason = "a benchmark that panics says so")]

#[allow(dead_code, reason = "the server uses all of it")]
#[path = "../src/ejson.rs"]
mod ejson;

use std::hint::black_box;

use bson::{Bson, DateTime, Document, RawDocumentBuf, doc, oid::ObjectId};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ejson::{Format, write_document};

const LOGS: usize = 100;

fn logs() -> Vec<RawDocumentBuf> {
    let log = |index: usize| {
        let at = 1_641_954_803_067 + index as i64;
        let log = doc! {
            "_id": ObjectId::new(), "callerId": ObjectId::new(), "receiverId": ObjectId::new(),
            "roomId": "5e3a4c1e-1111-4111-8111-111111111111", "participants": [ObjectId::new(), ObjectId::new()],
            "startTime": DateTime::from_millis(at), "endTime": DateTime::from_millis(at + 60_000),
            "duration": 60, "revision": 2_i64,
        };
        RawDocumentBuf::try_from(log).unwrap()
    };
    (0..LOGS).map(log).collect()
}

fn ours(logs: &[RawDocumentBuf]) -> Vec<u8> {
    let mut out = Vec::new();
    logs.iter().for_each(|log| write_document(&mut out, log, Format::Ejson).unwrap());
    out
}

fn theirs(logs: &[RawDocumentBuf]) -> Vec<u8> {
    let mut out = Vec::new();
    for log in logs {
        let document = Document::try_from(log.as_ref()).unwrap();
        serde_json::to_writer(&mut out, &Bson::Document(document).into_canonical_extjson()).unwrap();
    }
    out
}

fn compare(criterion: &mut Criterion) {
    let logs = logs();
    assert_eq!(ours(&logs), theirs(&logs));
    let mut group = criterion.benchmark_group("a hundred call logs");
    group.throughput(Throughput::Bytes(ours(&logs).len() as u64));
    group.bench_function("ours", |bencher| bencher.iter(|| ours(black_box(&logs))));
    group.bench_function("bson's", |bencher| bencher.iter(|| theirs(black_box(&logs))));
    group.finish();
}

criterion_group!(benches, compare);
criterion_main!(benches);
