//! The responses that operations share: errors by their codes, and headers.
//!
//! Works on the document as JSON, which can express all of them.

#![allow(clippy::indexing_slicing, reason = "it runs when the document is made, and a test makes it")]

use serde_json::{Map, Value, json};

use super::error_catalogue::errors;
use crate::error::ApiError;

/// Of every operation: the body is held to its rules whether it is used or not.
const ALWAYS: [&str; 5] =
    ["invalid_input", "malformed_json", "body_too_large", "unsupported_media_type", "internal"];
/// Of every operation that looks at a token.
const WITH_TOKEN: [&str; 3] = ["token_malformed", "token_expired", "token_invalid"];
/// Of every operation that insists on one.
const WITHOUT_TOKEN: &str = "token_missing";
/// Of every operation but `/health`, whose own 503 says it.
const MISCONFIGURED: &str = "misconfigured";
/// Of every operation that asks the database.
const STORE_UNAVAILABLE: &str = "store_unavailable";
/// The tag of those that do not, or that say themselves what they answer without it.
const SERVICE: &str = "service";

const ERRORS: &str = "x-errors";
const RATE_LIMIT: &str = "x-rate-limit";

/// Adds all of them, and removes `x-errors` and `x-rate-limit`.
pub(super) fn complete(document: &mut Value) {
    for operation in operations(document) {
        let limited = operation.remove(RATE_LIMIT).is_some();
        let codes = codes_of(operation, limited);
        let responses = member(operation, "responses");
        for (status, errors) in by_status(&codes) {
            responses.insert(status, error_response(&errors));
        }
        for (status, response) in responses.iter_mut() {
            let headers = member(object(response), "headers");
            headers.insert("X-Request-Id".to_owned(), header("RequestId"));
            // Where the limit itself could not be asked there is nothing to tell of it.
            if limited && status != "500" {
                headers.insert("RateLimit".to_owned(), header("RateLimit"));
                headers.insert("RateLimit-Policy".to_owned(), header("RateLimitPolicy"));
            }
            if matches!(status.as_str(), "429" | "503") {
                headers.insert("Retry-After".to_owned(), header("RetryAfter"));
            }
        }
    }
    let components = member(object(document), "components");
    components.insert("headers".to_owned(), headers());
    components.insert("examples".to_owned(), examples().into());
    let codes: Vec<&str> = errors().iter().map(ApiError::code).collect();
    components["schemas"]["Error"]["properties"]["code"]["enum"] = json!(codes);
}

fn codes_of(operation: &mut Map<String, Value>, limited: bool) -> Vec<String> {
    let own = operation.remove(ERRORS);
    let own = own.iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    let schemes = operation.get("security").and_then(Value::as_array);
    let insists = schemes.is_some_and(|schemes| schemes.iter().all(|scheme| *scheme != json!({})));
    let asks_the_store = operation["tags"] != json!([SERVICE]);
    let has_own_503 = operation["responses"].get("503").is_some();
    let implied = ALWAYS
        .into_iter()
        .chain(WITH_TOKEN.into_iter().filter(|_| schemes.is_some()))
        .chain(insists.then_some(WITHOUT_TOKEN))
        .chain((!has_own_503).then_some(MISCONFIGURED))
        .chain(asks_the_store.then_some(STORE_UNAVAILABLE))
        .chain(limited.then_some("rate_limited"));
    own.chain(implied).map(str::to_owned).collect()
}

/// The errors with these codes, grouped by status.
fn by_status(codes: &[String]) -> Vec<(String, Vec<ApiError>)> {
    let known = errors();
    let unknown = codes.iter().find(|code| known.iter().all(|error| error.code() != code.as_str()));
    assert_eq!(unknown, None, "x-errors names a code that no error has");
    let mut statuses: Vec<(String, Vec<ApiError>)> = Vec::new();
    for error in known.into_iter().filter(|error| codes.iter().any(|code| code == error.code())) {
        let status = error.status().as_u16().to_string();
        match statuses.iter_mut().find(|(known, _)| *known == status) {
            Some((_, errors)) => errors.push(error),
            None => statuses.push((status, vec![error])),
        }
    }
    statuses
}

fn error_response(errors: &[ApiError]) -> Value {
    let codes: Vec<&str> = errors.iter().map(ApiError::code).collect();
    let narrowed = json!({ "properties": { "code": { "enum": codes } } });
    let schema = json!({ "allOf": [{ "$ref": "#/components/schemas/Error" }, narrowed] });
    let mut examples = Map::new();
    for code in &codes {
        examples.insert((*code).to_owned(), json!({ "$ref": format!("#/components/examples/{code}") }));
    }
    let description = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
    json!({
        "description": description,
        "content": { "application/json": { "schema": schema, "examples": examples } },
    })
}

/// One example body per code.
fn examples() -> Map<String, Value> {
    let errors = errors();
    let examples = errors.iter().map(|error| {
        let body = error.body("5f0c1a2b3c4d5e6f70818283");
        (error.code().to_owned(), json!({ "summary": error.to_string(), "value": body }))
    });
    examples.collect()
}

fn headers() -> Value {
    let text = |description: &str, example: &str| json!({ "description": description, "required": true, "schema": { "type": "string" }, "example": example });
    let limit = "draft-ietf-httpapi-ratelimit-headers";
    json!({
        "RequestId": {
            "description": "Names the request: the client's own `X-Request-Id` where it sent one of 1 to 64 of \
                `A-Z a-z 0-9 . _ -`.",
            "required": true,
            "schema": { "type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$" },
        },
        "RateLimit": text(
            &format!("What is left (`r`) until when (`t`, seconds) of the tightest limit ({limit})."),
            "\"account-failures\";r=4;t=840",
        ),
        "RateLimitPolicy": text(
            &format!("That limit (`q`) and its window (`w`, seconds) ({limit})."),
            "\"account-failures\";q=5;w=900",
        ),
        "RetryAfter": {
            "description": "Seconds until another try makes sense (RFC 9110, 10.2.3).",
            "required": true,
            "schema": { "type": "integer", "minimum": 0 },
        },
    })
}

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn operations(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let paths = member(object(document), "paths");
    paths.values_mut().flat_map(|path| object(path).values_mut()).map(object)
}

fn member<'a>(value: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    object(value.entry(name).or_insert_with(|| json!({})))
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().expect("the members of a document that are asked for are objects")
}
