use serde_json::json;

use super::{
    super::scripted::{Scripted, answers, broken, script},
    *,
};

fn api(script: &Scripted) -> DataApi<&Scripted> {
    DataApi::new(script, DataSource { name: "Cluster0".to_owned(), database: "zetra".to_owned() })
}

fn inserted(script: &Scripted) -> Result<(), CallError> {
    pollster::block_on(api(script).insert_one("users", json!({ "_id": 1, "passwordHash": "hush" })))
}

fn found(script: &Scripted) -> Result<Option<Document>, StoreError> {
    pollster::block_on(api(script).find_one("users", json!({ "email": "secret@example.com" })))
}

#[test]
fn any_2xx_is_success() {
    for status in [200, 201, 204] {
        assert!(
            inserted(&script([answers(status, r#"{"insertedId":{"$oid":"6193504e1be4ab27791c8133"}}"#)]))
                .is_ok()
        );
    }
}

/// How the known servers report a duplicate key, in their own words.
#[test]
fn a_duplicate_key_is_recognised_in_every_dialect() {
    let message =
        r#"E11000 duplicate key error collection: zetra.users index: email_1 dup key: { email: \"a\" }"#;
    let dialects = [
        answers(
            400,
            &format!(
                r#"{{"error":"(WriteError 11000) {message}","error_code":"InvalidParameter","link":"l"}}"#
            ),
        ),
        answers(400, &message.replace('\\', "")),
        answers(409, &format!(r#"{{"error":"{message}"}}"#)),
        answers(500, &format!("write error: {message}")),
        answers(500, &format!(r#"{{"message":"{message}","code":11000}}"#)),
        answers(200, &format!(r#"{{"writeErrors":[{{"code":11000,"errmsg":"{message}"}}]}}"#)),
    ];
    for dialect in dialects {
        let script = script([dialect.clone()]);
        assert!(matches!(inserted(&script), Err(CallError::Duplicate)), "{dialect:?}");
    }
}

#[test]
fn what_may_pass_is_tried_again_with_growing_pauses_and_jitter() {
    let good = answers(200, r#"{"document":null}"#);
    for trouble in [
        broken(),
        answers(429, "{}"),
        answers(500, "oops"),
        answers(502, "<html>"),
        answers(503, ""),
        answers(200, "{\"docum"),
        answers(200, "[]"),
        answers(200, r#"{"documents":[]}"#),
    ] {
        let script = script([trouble.clone(), trouble.clone(), good.clone()]);
        assert!(matches!(found(&script), Ok(None)), "{trouble:?}");
        let pauses = script.pauses();
        assert_eq!(pauses.len(), 2);
        assert!((50..100).contains(&pauses[0]) && (100..200).contains(&pauses[1]), "{pauses:?}");
    }
}

#[test]
fn what_cannot_pass_is_not_tried_again() {
    for trouble in [
        answers(504, ""),
        Err(HttpError::TimedOut),
        Err(HttpError::TooLarge),
        answers(301, ""),
        answers(400, r#"{"error":"no","error_code":"InvalidParameter"}"#),
        answers(401, ""),
        answers(403, ""),
        answers(404, ""),
    ] {
        let script = script([trouble.clone()]);
        assert!(matches!(found(&script), Err(StoreError::Unavailable(_))), "{trouble:?}");
    }
}

#[test]
fn three_attempts_are_the_most() {
    let script = script([broken(), broken(), broken()]);
    assert!(matches!(found(&script), Err(StoreError::Unavailable(_))));
    assert_eq!(script.asked().len(), 3);
}

#[test]
fn a_server_that_asks_for_patience_gets_it_with_jitter_if_it_is_short() {
    let busy = |seconds| Ok(HttpAnswer { status: 429, retry_after: Some(seconds), body: String::new() });
    let short = script([busy(1), answers(200, r#"{"document":null}"#)]);
    assert!(found(&short).is_ok());
    let pauses = short.pauses();
    assert!(matches!(pauses[..], [1_250..1_500]), "not all of the refused at once: {pauses:?}");
    let long = script([busy(30)]);
    assert!(found(&long).is_err());
}

#[test]
fn an_update_tells_whether_an_earlier_attempt_may_have_counted() {
    let matched = answers(200, r#"{"matchedCount":{"$numberInt":"0"},"modifiedCount":{"$numberInt":"0"}}"#);
    for (script, retried) in [(script([matched.clone()]), false), (script([broken(), matched]), true)] {
        let update = pollster::block_on(api(&script).update_one("rooms", json!({}), json!({}), false));
        assert_eq!(update.unwrap().retried, retried);
    }
}

#[test]
fn errors_quote_neither_documents_nor_filters() {
    for trouble in [
        answers(400, r#"{"error":"secret@example.com is wrong","error_code":"Invalid secret@example.com"}"#),
        answers(500, "secret@example.com"),
        answers(200, r#"{"document":{"email":"secret@example.com"}"#),
    ] {
        let script = script([trouble.clone(), trouble.clone(), trouble]);
        let error = found(&script).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
    let script = script([answers(400, r#"{"error":"x","error_code":"InvalidParameter"}"#)]);
    assert_eq!(
        found(&script).unwrap_err().to_string(),
        "the database cannot be reached: status 400 InvalidParameter"
    );
}
