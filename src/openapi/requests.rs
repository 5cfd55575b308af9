//! The bodies and queries of requests. The handlers read them field by field; these types only describe
//! them. Unknown fields are ignored; an optional field that is `null`, or an empty string, counts as absent.
//!
//! The patterns are what is accepted: ids in either case, and no control characters anywhere.

#![allow(dead_code, reason = "described, never built")]
#![allow(clippy::indexing_slicing, reason = "it runs when the document is made, and a test makes it")]

use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use zetra_domain::Timestamp;

#[derive(ToSchema)]
pub struct Registration {
    #[schema(pattern = "^[A-Za-z0-9_]{3,20}$", example = "ann")]
    username: String,
    /// White space around it is removed, and it is put into lower case.
    #[schema(
        pattern = r"^ *[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+\.[^@\s\x00-\x1f\x7f-\x9f]+ *$",
        max_length = 254,
        example = "ann@example.com"
    )]
    email: String,
    /// Must contain an upper-case letter, a lower-case letter and a digit.
    #[schema(
        format = Password,
        pattern = r"^(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[^\x00-\x1f\x7f-\x9f]+$",
        min_length = 8,
        max_length = 128,
        example = "Sup3rSecret"
    )]
    password: String,
}

#[derive(ToSchema)]
pub struct Login {
    #[schema(
        pattern = r"^ *[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+\.[^@\s\x00-\x1f\x7f-\x9f]+ *$",
        max_length = 254,
        example = "ann@example.com"
    )]
    email: String,
    #[schema(
        format = Password,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$",
        max_length = 1024,
        example = "Sup3rSecret"
    )]
    password: String,
}

#[derive(ToSchema)]
pub struct PasswordChange {
    #[schema(
        rename = "currentPassword",
        format = Password,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$",
        max_length = 1024,
        example = "Sup3rSecret"
    )]
    current_password: String,
    /// Must differ from the current password and contain an upper-case letter, a lower-case letter and a digit.
    #[schema(
        rename = "newPassword",
        format = Password,
        pattern = r"^(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9])[^\x00-\x1f\x7f-\x9f]+$",
        min_length = 8,
        max_length = 128,
        example = "Ev3nBetter"
    )]
    new_password: String,
}

/// At least one of the two.
#[derive(ToSchema)]
pub struct ProfileUpdate {
    #[schema(pattern = "^(?:[A-Za-z0-9_]{3,20})?$", example = "ann_b")]
    username: Option<String>,
    #[schema(
        pattern = r"^(?: *[^@\s\x00-\x1f\x7f-\x9f]+@[^@\s\x00-\x1f\x7f-\x9f]+\.[^@\s\x00-\x1f\x7f-\x9f]+ *)?$",
        max_length = 254,
        example = "ann.b@example.com"
    )]
    email: Option<String>,
}

#[derive(ToSchema)]
pub struct AccountDeletion {
    #[schema(
        format = Password,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$",
        max_length = 1024,
        example = "Sup3rSecret"
    )]
    password: String,
}

#[derive(ToSchema)]
pub struct NewRoom {
    /// 1 to 80 characters, none of them a control character; white space around them is removed.
    #[schema(
        pattern = r"^(?:[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*)?$",
        max_length = 80,
        example = "Stand-up"
    )]
    name: Option<String>,
}

#[derive(ToSchema)]
pub struct RoomRenaming {
    /// 1 to 80 characters, none of them a control character; `null` removes the name.
    #[schema(
        pattern = r"^(?:[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*)?$",
        max_length = 80,
        example = "Retrospective"
    )]
    name: Option<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct UserOfRoom {
    #[schema(pattern = "^[0-9A-Fa-f]{24}$", example = "6553f1000102030405060709")]
    user_id: String,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CallReport {
    /// Either the caller or the receiver must be the authenticated user; they are two people.
    #[schema(pattern = "^[0-9A-Fa-f]{24}$", example = "6553f1000102030405060708")]
    caller_id: String,
    #[schema(pattern = "^[0-9A-Fa-f]{24}$", example = "6553f1000102030405060709")]
    receiver_id: String,
    #[schema(
        pattern = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-4[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$",
        example = "a987fbc9-4bed-4078-8f07-9141ba07c9f3"
    )]
    room_id: String,
    /// Defaults to now.
    start_time: Option<Timestamp>,
    /// Set if the call is over; not before the start.
    end_time: Option<Timestamp>,
    /// Participants of the room, by their ids. The caller and the receiver are always among them.
    #[schema(example = json!(["6553f1000102030405060708", "6553f1000102030405060709"]))]
    participants: Option<Vec<String>>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CallEnd {
    /// Defaults to now; not before the start.
    end_time: Option<Timestamp>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct RoomOfPath {
    /// A room, by its UUID (version 4).
    #[param(
        rename = "roomId",
        pattern = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-4[0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$",
        example = "a987fbc9-4bed-4078-8f07-9141ba07c9f3"
    )]
    room_id: String,
}

/// A page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// How many.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
}

/// What no derived schema says: which fields have to come together, what the items of a list are, and that a body
/// that may be absent may not be `null` for all that.
pub(super) fn complete(document: &mut Value) {
    let schemas = &mut document["components"]["schemas"];
    let given = |field: &str| json!({ "required": [field], "properties": { field: { "type": "string", "minLength": 1 } } });
    schemas["ProfileUpdate"]["anyOf"] = json!([given("username"), given("email")]);
    let report = &mut schemas["CallReport"]["properties"];
    report["participants"]["items"]["pattern"] = report["callerId"]["pattern"].clone();
    let paths = document["paths"].as_object_mut().into_iter().flat_map(|paths| paths.values_mut());
    for operation in paths.filter_map(Value::as_object_mut).flat_map(|methods| methods.values_mut()) {
        let Some(schema) = operation.pointer_mut("/requestBody/content/application~1json/schema") else {
            continue;
        };
        if let Some(body) = schema.pointer("/oneOf/0").cloned() {
            *schema = body;
        }
    }
}
