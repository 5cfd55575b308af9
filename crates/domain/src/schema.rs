//! JSON Schemas of the identifiers, times and names that the server sends.
//!
//! Input rules are stricter and are defined with the requests: a database taken over may contain names and
//! addresses that today's rules refuse.

use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

use crate::{CallLogId, Email, RoomId, RoomName, Timestamp, UserId, Username};

/// For users and for call logs.
const OBJECT_ID: &str = "^[0-9a-f]{24}$";
const UUID_V4: &str = "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";

macro_rules! text {
    ($name:ident, $description:literal, $example:literal, $constrain:expr) => {
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let text = ObjectBuilder::new().schema_type(Type::String);
                let text = text.description(Some($description)).examples([json!($example)]);
                let constrain: fn(ObjectBuilder) -> ObjectBuilder = $constrain;
                constrain(text).into()
            }
        }

        impl ToSchema for $name {}
    };
}

text!(UserId, "Identifies a user: a MongoDB ObjectId.", "6553f1000102030405060708", |text| {
    text.pattern(Some(OBJECT_ID))
});
text!(CallLogId, "Identifies a call log: a MongoDB ObjectId.", "6553f10001020304050607a1", |text| {
    text.pattern(Some(OBJECT_ID))
});
text!(
    RoomId,
    "Identifies a room: a UUID, version 4 (RFC 9562).",
    "a987fbc9-4bed-4078-8f07-9141ba07c9f3",
    |text| text.format(Some(SchemaFormat::Custom("uuid".to_owned()))).pattern(Some(UUID_V4))
);
text!(Timestamp, "ISO 8601 in UTC, with milliseconds.", "2026-11-22T10:05:52.000Z", |text| {
    text.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
});
text!(Username, "A username.", "ann", |text| text);
text!(Email, "An email address.", "ann@example.com", |text| text);
text!(RoomName, "A room's name.", "Stand-up", |text| text);
