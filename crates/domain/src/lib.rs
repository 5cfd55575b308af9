//! The domain types of Zetra: people, rooms and calls, and the rules that their data obeys.
//!
//! *Parse, don't validate*: an [`Email`], a [`Username`], a [`RoomId`] can only be built from input
//! that obeys the API's rules, so code that holds one need not check again.
//!
//! This crate is pure. It uses no store, no socket, no clock and no source of randomness: the time and random
//! bytes are arguments. It builds for wasm32 without `worker` or `js-sys`.

mod account;
mod admission;
mod call;
mod call_stats;
mod cursor;
mod derived_key;
mod fields;
mod ids;
mod json_value;
pub mod limits;
mod page;
mod password_hash;
mod rate_limit;
mod room;
#[cfg(feature = "openapi")]
mod schema;
mod signing_secret;
mod timestamp;
mod token;
mod webhook_secret;

pub use account::{Email, Password, PasswordAttempt, User, Username};
pub use admission::{Admission, Membership};
pub use call::{Call, CallLog, CallState, Person};
pub use call_stats::CallStats;
pub use cursor::{Cursor, CursorId, CursorKey};
pub use derived_key::DerivedKey;
pub use fields::{FieldError, Fields, Invalid, all2, all3};
pub use ids::{CallLogId, InvalidId, ObjectIds, RoomId, UserId};
pub use json_value::JsonValue;
pub use page::{Listed, Page, PageLimit};
pub use password_hash::{PasswordHash, Verdict};
pub use rate_limit::{
    AccountKey, AddressKey, Attempt, AttemptOutcome, AuthLimits, Hourly, HourlyLimits, PasswordOutcome,
    Policy, Settlement, Standing,
};
pub use room::{Participant, Room, RoomChange, RoomName, RoomWithPeople};
pub use signing_secret::{ShortSecret, SigningSecret};
pub use timestamp::Timestamp;
pub use token::{Claims, HonouredTokens, TokenError, TokenFingerprint, TokenKey};
pub use webhook_secret::WebhookSecret;
