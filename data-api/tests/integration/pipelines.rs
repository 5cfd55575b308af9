//! Where pipelines that write may write to.

use serde_json::{Value, json};

use crate::{
    asker::Asker,
    support::{Fixture, KEY, READ_ONLY_KEY, ZETRA_KEY},
};

/// The stages that reach another database, each in all its forms.
fn reaching(database: &str) -> Vec<(bool, Value)> {
    let other = json!({ "db": database, "coll": "stolen" });
    let merge = json!({ "$merge": { "into": other } });
    vec![
        (true, json!({ "$out": other })),
        (true, merge.clone()),
        (false, json!({ "$lookup": { "from": other, "pipeline": [], "as": "a" } })),
        (false, json!({ "$graphLookup": { "from": other, "as": "a" } })),
        (false, json!({ "$unionWith": other })),
        (
            false,
            json!({ "$facet": { "a": [{ "$unionWith": { "db": database, "coll": "x", "pipeline": [] } }] } }),
        ),
        (true, json!({ "$lookup": { "from": "things", "pipeline": [merge], "as": "a" } })),
    ]
}

#[tokio::test]
async fn a_pipeline_leaves_the_databases_of_its_key_in_no_form() {
    let fixture = Fixture::start_with(&["--allow-pipeline-writes"]).await;
    let stranger = Asker { key: ZETRA_KEY, ..Asker::new(&fixture) };
    for database in ["admin", "local", "somebody_elses"] {
        for (_, stage) in reaching(database) {
            let (status, body) = stranger.asks("aggregate", json!({ "pipeline": [stage] })).await;
            assert_eq!(
                (status, &body["error_code"]),
                (403, &json!("NoMatchingRuleFound")),
                "{stage}: {body}"
            );
        }
    }
    // A key for all databases still gives no access to the server's own.
    let worker = Asker { key: KEY, ..Asker::new(&fixture) };
    for (_, stage) in reaching("config") {
        assert_eq!(worker.asks("aggregate", json!({ "pipeline": [stage] })).await.0, 403, "{stage}");
    }
    fixture.end().await;
}

#[tokio::test]
async fn a_read_only_key_writes_by_no_pipeline() {
    let fixture = Fixture::start_with(&["--allow-pipeline-writes"]).await;
    let reports = Asker { key: READ_ONLY_KEY, ..Asker::new(&fixture) };
    let stages = reaching(&fixture.database).into_iter().filter(|(writes, _)| *writes);
    let own = [
        json!({ "$out": "copies" }),
        json!({ "$merge": "copies" }),
        json!({ "$merge": { "into": "copies" } }),
    ];
    for stage in stages.map(|(_, stage)| stage).chain(own) {
        let (status, body) = reports.asks("aggregate", json!({ "pipeline": [stage] })).await;
        assert_eq!(status, 403, "{stage}: {body}");
    }
    fixture.end().await;
}

#[tokio::test]
async fn a_pipeline_may_write_within_the_databases_of_its_key() {
    let fixture = Fixture::start_with(&["--allow-pipeline-writes"]).await;
    let own = Asker { key: ZETRA_KEY, ..Asker::new(&fixture) };
    assert_eq!(own.asks("insertOne", json!({ "document": { "_id": 1 } })).await.0, 201);
    let database = &fixture.database;
    for (stage, copies) in [
        (json!({ "$out": "a" }), "a"),
        (json!({ "$out": { "db": database, "coll": "b" } }), "b"),
        (json!({ "$merge": "c" }), "c"),
        (json!({ "$merge": { "into": { "db": database, "coll": "d" }, "whenMatched": "replace" } }), "d"),
    ] {
        let (status, body) = own.asks("aggregate", json!({ "pipeline": [stage] })).await;
        assert_eq!(status, 200, "{stage}: {body}");
        let (_, copy) = own.asks("findOne", json!({ "collection": copies })).await;
        assert_eq!(copy["document"]["_id"], json!({ "$numberInt": "1" }), "{stage}");
    }
    fixture.end().await;
}

#[tokio::test]
async fn a_stage_that_never_ends_is_refused_whatever_is_allowed() {
    let fixture = Fixture::start_with(&["--allow-pipeline-writes", "--allow-javascript"]).await;
    let stage = json!({ "$changeStream": {} });
    for pipeline in [
        json!([stage]),
        json!([{ "$unionWith": { "coll": "a", "pipeline": [stage] } }]),
        json!([{ "$facet": { "a": [stage] } }]),
    ] {
        let (status, body) = Asker::new(&fixture).asks("aggregate", json!({ "pipeline": pipeline })).await;
        assert_eq!((status, &body["error_code"]), (400, &json!("InvalidParameter")), "{pipeline}: {body}");
        assert!(body["error"].as_str().unwrap().contains("$changeStream"), "{body}");
    }
    fixture.end().await;
}
