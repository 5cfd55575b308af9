//! The Data API's contract, over real HTTP, in front of a real database.

use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::{
    asker::{Asker, read},
    log,
    support::{Fixture, KEY, READ_ONLY_KEY},
};

fn int(number: i64) -> Value {
    json!({ "$numberInt": number.to_string() })
}

#[tokio::test]
async fn the_ten_actions_answer_in_canonical_ejson() {
    let fixture = Fixture::start().await;
    let asker = Asker::new(&fixture);
    let id = json!({ "$oid": "6193504e1be4ab27791c8133" });
    let date = json!({ "$date": { "$numberLong": "1641954803067" } });

    let document = json!({ "_id": id, "kind": "a", "at": date, "count": 1, "ratio": 0.5 });
    assert_eq!(
        asker.asks("insertOne", json!({ "document": document })).await,
        (201, json!({ "insertedId": id }))
    );
    let documents = json!([{ "_id": 1, "kind": "b" }, { "_id": 2, "kind": "b" }, { "_id": 3, "kind": "c" }]);
    let ids = json!({ "insertedIds": [int(1), int(2), int(3)] });
    assert_eq!(asker.asks("insertMany", json!({ "documents": documents })).await, (201, ids));

    let found =
        json!({ "_id": id, "kind": "a", "at": date, "count": int(1), "ratio": { "$numberDouble": "0.5" } });
    let filter = json!({ "_id": id, "at": { "$lte": date } });
    assert_eq!(asker.asks("findOne", json!({ "filter": filter })).await, (200, json!({ "document": found })));
    let projected = asker
        .asks("findOne", json!({ "filter": { "_id": id }, "projection": { "_id": 0, "kind": 1 } }))
        .await;
    assert_eq!(projected, (200, json!({ "document": { "kind": "a" } })));
    assert_eq!(
        asker.asks("findOne", json!({ "filter": { "_id": 99 } })).await,
        (200, json!({ "document": null }))
    );

    let page =
        json!({ "filter": { "kind": { "$ne": "a" } }, "sort": { "_id": -1 }, "skip": 1, "limit": int(1) });
    let page = asker.asks("find", page).await;
    assert_eq!(page, (200, json!({ "documents": [{ "_id": int(2), "kind": "b" }] })));

    let set = |kind: &str| json!({ "$set": { "kind": kind } });
    let updated =
        |matched, modified| (200, json!({ "matchedCount": int(matched), "modifiedCount": int(modified) }));
    let filter = json!({ "kind": "b" });
    assert_eq!(asker.asks("updateOne", json!({ "filter": filter, "update": set("b") })).await, updated(1, 0));
    assert_eq!(
        asker.asks("updateMany", json!({ "filter": filter, "update": [set("d")] })).await,
        updated(2, 2)
    );
    let upsert = json!({ "filter": { "_id": 9 }, "update": set("e"), "upsert": true });
    let upserted = json!({ "matchedCount": int(0), "modifiedCount": int(0), "upsertedId": int(9) });
    assert_eq!(asker.asks("updateOne", upsert).await, (200, upserted));
    let replacement =
        json!({ "filter": { "_id": 9 }, "replacement": { "kind": "f", "$where": "only a name" } });
    let (status, body) = asker.asks("replaceOne", replacement).await;
    assert!(
        status == 200 || body["error"].as_str().unwrap().contains("$where"),
        "the database decides: {body}"
    );
    let replacement = json!({ "filter": { "_id": 9 }, "replacement": { "kind": "f" } });
    assert_eq!(asker.asks("replaceOne", replacement).await.0, 200);

    let pipeline =
        json!([{ "$match": { "kind": "d" } }, { "$group": { "_id": "$kind", "n": { "$sum": 1 } } }]);
    let grouped = asker.asks("aggregate", json!({ "pipeline": pipeline })).await;
    assert_eq!(grouped, (200, json!({ "documents": [{ "_id": "d", "n": int(2) }] })));

    let deleted = asker.asks("deleteOne", json!({ "filter": { "kind": "d" } })).await;
    assert_eq!(deleted, (200, json!({ "deletedCount": int(1) })));
    assert_eq!(asker.asks("deleteMany", json!({})).await, (200, json!({ "deletedCount": int(4) })));
    fixture.end().await;
}

#[tokio::test]
async fn json_answers_are_plain_and_accept_decides() {
    let fixture = Fixture::start().await;
    let asker = Asker { format: "application/json", ..Asker::new(&fixture) };
    let document = json!({ "_id": { "$oid": "6193504e1be4ab27791c8133" }, "at": { "$date": "2022-01-12T02:33:23.067Z" } });
    let response = asker.send("insertOne", json!({ "document": document })).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(read(response).await, (201, json!({ "insertedId": "6193504e1be4ab27791c8133" })));
    let plain = json!({ "_id": "6193504e1be4ab27791c8133", "at": "2022-01-12T02:33:23.067Z" });
    assert_eq!(asker.asks("findOne", json!({})).await, (200, json!({ "document": plain })));

    let url = format!("http://{}/app/anything/endpoint/data/v1/action/findOne", fixture.address);
    let body = json!({ "dataSource": "a", "database": fixture.database, "collection": "things" });
    let request = Client::new().post(url).header("content-type", "application/json; charset=utf-8");
    let request = request
        .header("accept", "text/html, application/ejson")
        .header("authorization", format!("Bearer {KEY}"));
    let (status, body) = read(request.body(body.to_string()).send().await.unwrap()).await;
    assert_eq!((status, &body["document"]["_id"]), (200, &json!({ "$oid": "6193504e1be4ab27791c8133" })));
    fixture.end().await;
}

#[tokio::test]
async fn errors_have_the_contracts_shape_and_a_duplicate_key_is_400_with_its_code() {
    let fixture = Fixture::start().await;
    let asker = Asker::new(&fixture);
    let user = json!({ "collection": "users", "document": { "email": "a@example.com", "username": "ann" } });
    assert_eq!(asker.asks("insertOne", user.clone()).await.0, 201);
    let (status, body) = asker.asks("insertOne", user).await;
    assert_eq!((status, &body["error_code"]), (400, &json!("InvalidParameter")));
    assert!(body["error"].as_str().unwrap().contains("E11000"), "{body}");
    assert!(body["link"].is_string());

    for (action, more, status, code) in [
        ("insertOne", json!({}), 400, "MissingParameter"),
        ("find", json!({ "filter": { "$nonsense": 1 } }), 400, "InvalidParameter"),
        ("find", json!({ "filter": { "$where": "true" } }), 400, "InvalidParameter"),
        ("deleteMany", json!({ "filter": null }), 400, "InvalidParameter"),
        ("updateMany", json!({ "filter": null, "update": { "$set": { "a": 1 } } }), 400, "InvalidParameter"),
        ("aggregate", json!({ "pipeline": [{ "$out": "users" }] }), 400, "InvalidParameter"),
        ("findAndModify", json!({}), 404, "FunctionNotFound"),
    ] {
        let (told, body) = asker.asks(action, more).await;
        assert_eq!((told, body["error_code"].as_str().unwrap()), (status, code), "{action}: {body}");
    }
    let base = format!("http://{}", fixture.address);
    let get =
        Client::new().get(format!("{base}/data/v1/action/find")).header("apiKey", KEY).send().await.unwrap();
    assert_eq!(get.headers()["allow"], "POST");
    assert_eq!(read(get).await.0, 405);
    assert_eq!(read(Client::new().get(format!("{base}/nothing")).send().await.unwrap()).await.0, 404);
    let typeless = Client::new().post(format!("{base}/data/v1/action/find")).header("apiKey", KEY);
    assert_eq!(read(typeless.body("{}").send().await.unwrap()).await.0, 415);
    fixture.end().await;
}

#[tokio::test]
async fn a_key_is_needed_and_allows_what_it_says() {
    let fixture = Fixture::start().await;
    let base = format!("http://{}/data/v1/action/find", fixture.address);
    let (status, body) = read(Client::new().post(&base).send().await.unwrap()).await;
    assert_eq!((status, body["error_code"].as_str().unwrap()), (400, "MissingParameter"));
    let wrong = Asker { key: "a-key-that-nobody-was-given", ..Asker::new(&fixture) };
    let (status, body) = wrong.asks("find", json!({})).await;
    assert_eq!((status, body["error_code"].as_str().unwrap()), (401, "InvalidSession"));

    let reports = Asker { key: READ_ONLY_KEY, ..Asker::new(&fixture) };
    assert_eq!(reports.asks("find", json!({})).await.0, 200);
    assert_eq!(reports.asks("aggregate", json!({ "pipeline": [{ "$match": {} }] })).await.0, 200);
    for (action, more) in [
        ("insertOne", json!({ "document": {} })),
        ("deleteMany", json!({})),
        ("find", json!({ "database": "other" })),
    ] {
        assert_eq!(reports.asks(action, more).await.0, 403, "{action}");
    }
    assert_eq!(Asker::new(&fixture).asks("find", json!({ "database": "admin" })).await.0, 403);
    fixture.end().await;
}

#[tokio::test]
async fn a_request_has_one_id_in_its_answer_its_error_and_the_log() {
    log::collect();
    let fixture = Fixture::start().await;
    let ask = |path: &str, id: Option<&str>| {
        let request = Client::new().post(format!("http://{}{path}", fixture.address));
        let request = request.header("authorization", format!("Bearer {KEY}"));
        let request = request.header("content-type", "application/json");
        let request = id.into_iter().fold(request, |request, id| request.header("x-request-id", id));
        let body = json!({ "dataSource": "a", "database": fixture.database, "collection": "things" });
        async move { request.body(body.to_string()).send().await.unwrap() }
    };
    let id_of = |response: &Response| response.headers()["x-request-id"].to_str().unwrap().to_owned();

    let given = "Worker_request.1-of-2";
    let found = ask("/data/v1/action/findOne", Some(given)).await;
    assert_eq!((found.status().as_u16(), id_of(&found)), (200, given.to_owned()));
    assert_eq!(log::lines_of(given).len(), 1);

    for path in ["/data/v1/action/findAndModify", "/nothing", "/data/v1/action/%ff", "/health"] {
        let answer = ask(path, Some(given)).await;
        assert_eq!(id_of(&answer), given, "{path}");
        if path != "/health" {
            let (status, body) = read(answer).await;
            assert_eq!((status, &body["link"]), (404, &json!(format!("urn:request:{given}"))), "{path}");
        }
    }

    let too_long = "a".repeat(65);
    let mut made = Vec::new();
    for unusable in [None, Some(""), Some("a b"), Some("a/b"), Some(too_long.as_str())] {
        let id = id_of(&ask("/data/v1/action/findOne", unusable).await);
        assert_eq!(log::lines_of(&id).len(), 1, "{unusable:?} became {id}");
        made.push(id);
    }
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 5, "each its own");
    fixture.end().await;
}
