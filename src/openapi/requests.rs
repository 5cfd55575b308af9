//! The bodies and queries of requests. The handlers read them field by field; these types only describe
//! them. Unknown fields are ignored, and a field that is `null` counts as absent.

#![allow(dead_code, reason = "described, never built")]

use utoipa::{IntoParams, ToSchema};
use zetra_domain::{RoomId, Timestamp, UserId};

#[derive(ToSchema)]
pub struct Registration {
    #[schema(pattern = "^[A-Za-z0-9_]{3,20}$", example = "ann")]
    username: String,
    #[schema(pattern = r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length = 254, example = "ann@example.com")]
    email: String,
    /// With an upper-case letter, a lower-case letter and a digit.
    #[schema(format = Password, min_length = 8, max_length = 128, example = "Sup3rSecret")]
    password: String,
}

#[derive(ToSchema)]
pub struct Login {
    #[schema(max_length = 254, example = "ann@example.com")]
    email: String,
    #[schema(format = Password, min_length = 1, max_length = 1024, example = "Sup3rSecret")]
    password: String,
}

#[derive(ToSchema)]
pub struct PasswordChange {
    #[schema(format = Password, min_length = 1, max_length = 1024, example = "Sup3rSecret")]
    #[schema(rename = "currentPassword")]
    current_password: String,
    /// Another one than the current, with an upper-case letter, a lower-case letter and a digit.
    #[schema(format = Password, min_length = 8, max_length = 128, example = "Ev3nBetter")]
    #[schema(rename = "newPassword")]
    new_password: String,
}

/// At least one of the two.
#[derive(ToSchema)]
pub struct ProfileUpdate {
    #[schema(pattern = "^[A-Za-z0-9_]{3,20}$", example = "ann_b")]
    username: Option<String>,
    #[schema(pattern = r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length = 254, example = "ann.b@example.com")]
    email: Option<String>,
}

#[derive(ToSchema)]
pub struct AccountDeletion {
    #[schema(format = Password, min_length = 1, max_length = 1024, example = "Sup3rSecret")]
    password: String,
}

#[derive(ToSchema)]
pub struct NewRoom {
    /// 1 to 80 characters, none of them a control character; white space around them is removed.
    #[schema(min_length = 1, max_length = 80, example = "Stand-up")]
    name: Option<String>,
}

#[derive(ToSchema)]
pub struct RoomRenaming {
    /// 1 to 80 characters, none of them a control character; `null` removes the name.
    #[schema(min_length = 1, max_length = 80, example = "Retrospective")]
    name: Option<String>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct UserOfRoom {
    user_id: UserId,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CallReport {
    /// The caller or the receiver has to be who asks.
    caller_id: UserId,
    receiver_id: UserId,
    room_id: RoomId,
    /// Now, where it is absent.
    start_time: Option<Timestamp>,
    /// Present where the call is over.
    end_time: Option<Timestamp>,
    /// Participants of the room. The caller and the receiver are always among them.
    participants: Option<Vec<UserId>>,
}

#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CallEnd {
    /// Now, where it is absent; not before the start.
    end_time: Option<Timestamp>,
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
